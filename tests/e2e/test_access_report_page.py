#!/usr/bin/python3
"""The page that `carehub audit report --format html` writes, in a real browser: accessible, readable on a phone and with
large text, by keyboard and screen reader, without scripts, and whole on paper. In each of the four languages."""
import json
import os
import re
import shutil
import subprocess
import unittest

import client as c
import harness
import test_access_report
from test_fhir_valid import HERE

LANGUAGES = {"en": ("Time", "What happened", "No. "), "nl": ("Tijd", "Wat er gebeurde", "Nr. "),
             "fr": ("Heure", "Ce qui s'est passé", "N° "), "de": ("Uhrzeit", "Was geschah", "Nr. ")}
EVENTS_MORE = 12  # so that a day goes over several sheets
DAYS = 40
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ROW = re.compile(r'<tr[^>]*><th scope="row".*?</tr>', re.S)


def browser():
    return os.environ.get("CAREHUB_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def missing():
    """Why this cannot be tested here, or None."""
    if not shutil.which("node"):
        return "node is not installed"
    if not browser():
        return "there is no chromium (tools/check installs it, but not with --quick)"
    return next((f"{name} is not installed (npm ci in tests/e2e)" for name in ("axe-core", "puppeteer-core")
                 if not (HERE / "node_modules" / name).is_dir()), None)


def look_at(*files):
    """What a browser finds on pages, by the names of their files; their PDFs are put beside the first."""
    argv = ["node", HERE / "node" / "report_page.mjs", browser(), files[0].parent, *files]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {page["file"]: page for page in map(json.loads, done.stdout.splitlines())}


def sheets(path):
    """The text of each sheet of a PDF, line by line, without empty ones."""
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    return [[line.strip() for line in sheet.splitlines() if line.strip()] for sheet in text.split("\f")[:-1]]


def folded(text):
    return " ".join(text.split())


@unittest.skipIf(missing(), missing())
class ReportPageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region, _ = test_access_report.region_where_everything_happens()
        try:
            hospital = cls.region.clients[0]
            for _ in range(EVENTS_MORE):
                hospital.publish_one(c.discharge("one"))
            cls.dir = harness.scratch_dir()
            cls.files = {language: cls.write(language) for language in LANGUAGES}
            cls.pages = look_at(*cls.files.values())
        except BaseException:
            cls.region.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.region.close()

    @classmethod
    def write(cls, language):
        path = cls.dir / f"{language}.html"
        cls.region.hub.cli("audit", "report", "--patient", test_access_report.PATIENT, "--purpose", "asked for it",
                           "--denials", "--format", "html", "--lang", language, "--out", path)
        return path

    def each(self):
        return [(language, self.pages[f"{language}.html"]) for language in LANGUAGES]

    def test_no_rule_of_accessibility_is_broken(self):
        for language, page in self.each():
            self.assertEqual(page["axe"], [])
            self.assertEqual(page["lang"], language)
            self.assertTrue(page["title"])

    def test_nothing_is_lost_on_a_phone_or_with_large_text(self):
        for _, page in self.each():
            for how in ("phone", "zoomed", "largeText", "spaced"):
                self.assertEqual(page[how], [], how)

    def test_it_asks_for_nothing_and_needs_no_scripts(self):
        for _, page in self.each():
            self.assertEqual((page["requests"], page["said"]), ([], []))
            self.assertEqual(page["text"], page["textWithoutScripts"])

    def test_the_keyboard_alone_leads_to_each_emergency_access(self):
        for language, page in self.each():
            stops = page["keyboard"]["stops"]
            self.assertEqual(len(stops), self.files[language].read_text().count('<tr class="emergency"'))
            for stop in stops:
                self.assertTrue(stop["outlined"], "where the keyboard is can be seen")
                self.assertIn(stop["text"], stop["leads"])
            self.assertTrue(page["keyboard"]["end"])

    def test_a_screen_reader_is_given_the_whole_in_order(self):
        for language, page in self.each():
            tree, (time, happened, number) = page["tree"], LANGUAGES[language]
            self.assertEqual(tree["columns"], [time, happened])
            self.assertEqual(len(tree["headings"]), 4)
            self.assertEqual(tree["tables"], [tree["headings"][2]], "a table is named by its day")
            self.assertEqual(len(tree["rows"]), len(ROW.findall(self.files[language].read_text())))
            for row in tree["rows"]:
                self.assertRegex(row, r"^\d\d:\d\d " + number + r"\d+$")
            self.assertEqual(re.sub(r"\s+", "", tree["text"]), re.sub(r"\s+", "", page["text"]))

    def test_paper_has_every_row_and_the_day_on_each_sheet(self):
        if not shutil.which("pdftotext"):
            self.skipTest("pdftotext is not installed (poppler-utils)")
        for language, page in self.each():
            printed, (time, happened, number) = sheets(self.dir / f"{language}.pdf"), LANGUAGES[language]
            day = page["tree"]["tables"][0]
            self.assertGreater(len(printed), 5)
            for sheet in printed[1:-1]:
                self.assertEqual(folded(sheet[0]), f"{time} {happened}, {day}")
            text = folded(" ".join(" ".join(sheet) for sheet in printed))
            for row in set(page["tree"]["rows"]):
                entry = row.split(" ", 1)[1]
                rows = len([r for r in page["tree"]["rows"] if r.endswith(entry)])
                self.assertGreaterEqual(len(re.findall(rf"{re.escape(entry)}\b", text)), rows, entry)

    def test_no_day_begins_at_the_foot_of_a_sheet(self):
        if not shutil.which("pdftotext"):
            self.skipTest("pdftotext is not installed (poppler-utils)")
        text = self.files["en"].read_text()
        head, table, tail = re.split(r"(?s)(<table>.*</table>)", text)
        begin, rows = table.split("<tbody>")[0], [re.sub(' id="[^"]*"', "", row) for row in ROW.findall(table)]
        days = [begin + "<tbody>" + "".join(rows[(3 * day + i) % len(rows)] for i in range(1 + 7 * day % 6))
                + "</tbody></table>" for day in range(DAYS)]
        path = self.dir / "days.html"
        path.write_text(head + "".join(days) + tail)
        look_at(path)
        for sheet in sheets(self.dir / "days.pdf"):
            self.assertNotIn("What happened", sheet[-1])
            self.assertNotEqual(sheet[-1], self.pages["en.html"]["tree"]["tables"][0])

    def test_what_is_wrong_is_found(self):
        """Each of these pages breaks what the others are looked at for."""
        text = self.files["en"].read_text()
        image = '<img alt="" src="http://127.0.0.1:9/x.png">'
        spoilt = {
            "one": (text.replace('<html lang="en">', "<html>").replace("default-src 'none'", "default-src *").replace(
                "</h1>", f"</h1>{image}<noscript>Only without</noscript>"), ("axe", "requests", "textWithoutScripts")),
            "two": (text.replace("color:#1a1a1a", "color:#767676").replace("<h1>", '<h1 style="width:700px">'),
                    ("axe", "phone", "zoomed")),
            "three": (text.replace("<h1>", '<h1 style="overflow:hidden;white-space:nowrap;width:13em">').replace(
                "main{", "h1{outline:0}a:focus{outline:0!important}main{"), ("largeText", "spaced", "keyboard"))}
        paths = [self.dir / f"{name}.html" for name in spoilt]
        for path in paths:
            path.write_text(spoilt[path.stem][0])
        found = look_at(*paths)
        for name, (_, broken) in spoilt.items():
            page = found[f"{name}.html"]
            for what in broken:
                if what == "keyboard":
                    self.assertFalse(all(stop["outlined"] for stop in page[what]["stops"]))
                else:
                    self.assertNotEqual(page[what], page["text"] if what == "textWithoutScripts" else [], (name, what))


if __name__ == "__main__":
    unittest.main()
