"""Planted markers: what must not be readable in files, looked for in the raw bytes in many spellings."""
import base64
import os
import urllib.parse

SSIN = "38041200177"
PUNCTUATED = "38.04.12-001.77"
FAMILY = "Vandenmerkteken"
UMLAUT = "Kähnrich-Müßig"  # in Latin-1 other bytes than in UTF-8
PHONE = "0499876543"
TEXT = "viel van de gemerkte trap"
MEDICINE = "Merkolinetabletten"
ALL = (SSIN, PUNCTUATED, FAMILY, UMLAUT, PHONE, TEXT, MEDICINE)


def _plain(text):
    for spelled in {text, text.upper(), text.lower()}:
        for charset in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
            yield spelled.encode(charset)


def _base64(data):
    """As it stands in the middle of something longer, at each of the three places that it may have in it."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        first = 0 if before == 0 else 4  # the group that what stands before has a part in
        whole = encoded[first:len(encoded) - 4]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")


def spellings(text):
    """The marker as bytes: in character sets and cases, and these in base64, hexadecimal and per cent."""
    found = set()
    for data in _plain(text):
        found.add(data)
        found.update(piece for piece in _base64(data) if len(piece) >= 8)
        found.update((data.hex().encode(), data.hex().upper().encode()))
    for charset in ("utf-8", "latin-1"):
        found.add(urllib.parse.quote_from_bytes(text.encode(charset)).encode())
        found.add("".join(f"%{byte:02X}" for byte in text.encode(charset)).encode())
    return found


_ALL = {text: spellings(text) for text in ALL}


def found_in(data):
    """The markers that can be read in these bytes."""
    return {text for text, spelled in _ALL.items() if any(piece in data for piece in spelled)}


def files_below(folder, without=()):
    """Every file below a folder, but for those below its folders of these names."""
    for at, folders, names in os.walk(folder):
        if os.path.samefile(at, folder):
            folders[:] = [name for name in folders if name not in without]
        for name in names:
            yield os.path.join(at, name)


def readable(folder, without=()):
    """(file, markers) of each file that has some, by its name or its content."""
    found = []
    for path in files_below(folder, without):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:  # it was a moment ago
            continue
        markers = found_in(data) | found_in(os.path.relpath(path, folder).encode())
        if markers:
            found.append((path, markers))
    return found
