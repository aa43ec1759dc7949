#!/usr/bin/python3
"""Certificates, keys and authorities that are renewed while an adapter runs: with SIGHUP they are in force for connections
that begin, and no connection is lost. Persons are invented."""
import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import hl7

import client as c
import harness
import killing
from test_adapter_mllp import CR, EB, SB, code_of, message

CONFIG = """confirm-timeout-ms = 3000
in
    transport = mllp
    endpoint = 127.0.0.1:0
    tls-certificate = server.pem
    tls-key = server.key
    tls-client-ca = authority.pem
in
    transport = http
    endpoint = 127.0.0.1:{http}
    tls-certificate = server.pem
    tls-key = server.key
    tls-client-ca = authority.pem
out
    transport = mllp
    endpoint = 127.0.0.1:{mllp_out}
    inbox = mllp-out
    tls = yes
    tls-ca = authority.pem
    tls-certificate = server.pem
    tls-key = server.key
out
    transport = http
    url = https://127.0.0.1:{http_out}/in
    inbox = http-out
    tls-ca = authority.pem
    tls-certificate = server.pem
    tls-key = server.key
format
    plugin = hospital
    senders
        all
            application = *
            actor = hospital
            confirm = hub
            identifiers
                local
                    system = urn:e2e:patient
                    authority = AZT
"""


def make_certificates(folder, age):
    """An authority, and a certificate of it for everybody's use, which says how old it is: NAME.AGE.pem and .key."""
    def run(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *key, "-subj", f"/CN=authority {age}", "-days", "2", "-keyout", f"authority.{age}.key", "-out",
        f"authority.{age}.pem")
    run("req", *key, "-subj", f"/CN=adapter {age}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"server.{age}.key",
        "-out", f"server.{age}.req")
    run("x509", "-req", "-in", f"server.{age}.req", "-CA", f"authority.{age}.pem", "-CAkey", f"authority.{age}.key", "-days",
        "2", "-copy_extensions", "copy", "-out", f"server.{age}.pem")


class Receiver(threading.Thread):
    """Takes what comes over TLS with certificates of an age, and keeps the names that those who send show."""

    def __init__(self, folder, age, port, speak):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / f"server.{age}.pem", folder / f"server.{age}.key")
        self.context.load_verify_locations(folder / f"authority.{age}.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.socket = socket.create_server(("127.0.0.1", port))
        self.speak, self.names, self.taken, self.open = speak, [], 0, []
        self.start()

    def run(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        try:
            connection = self.context.wrap_socket(plain, server_side=True)
        except (OSError, ssl.SSLError):
            return
        self.open.append(connection)
        subject = dict(pair[0] for pair in connection.getpeercert()["subject"])
        self.names.append(subject["commonName"])
        try:
            while self.speak(connection):
                self.taken += 1
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.open:
            connection.close()


def speak_mllp(connection):
    data = b""
    while EB + CR not in data:
        more = connection.recv(65536)
        if not more:
            return False
        data += more
    sent = hl7.parse(data[1:data.index(EB)].decode())
    control = str(sent.segment("MSH")[10])
    connection.sendall(SB + f"MSH|^~\\&|R|R|A|A|20260301||ACK^A01^ACK|1|P|2.5.1\rMSA|AA|{control}\r".encode() + EB + CR)
    return True


def speak_http(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return False
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65536)
    control = str(hl7.parse(body.decode()).segment("MSH")[10])
    answer = f"MSH|^~\\&|R|R|A|A|20260301||ACK^A01^ACK|1|P|2.5.1\rMSA|AA|{control}\r".encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
    return True


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class RenewedTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.close)
        for name in ("hospital", "mllp-out", "http-out"):
            self.region.actor(name, inbox=name != "hospital")
        self.region.patient("4711", team=[("mllp-out", "gp"), ("http-out", "gp"), ("hospital", "hospital")])
        keys = self.region.register_client("adapter", ["hospital", "mllp-out", "http-out"])
        self.ports = {name: harness.free_port() for name in ("http", "mllp_out", "http_out")}
        self.adapter = killing.Adapter(self.region.hub.endpoint, self.region.hub.public_key, keys, CONFIG.format(**self.ports))
        for age in (1, 2):
            make_certificates(self.adapter.dir, age)
        self.install(1)
        self.adapter.start()
        self.addCleanup(self.adapter.stop)
        self.sent = 0

    def install(self, age):
        for name in ("server.pem", "server.key", "authority.pem"):
            stem, _, ending = name.partition(".")
            shutil.copy(self.adapter.dir / f"{stem}.{age}.{ending}", self.adapter.dir / name)
            (self.adapter.dir / name).chmod(0o600)

    def renew(self, said):
        before = self.adapter.process.said().count(said)
        self.adapter.process.process.send_signal(signal.SIGHUP)
        harness.until(lambda: self.adapter.process.said().count(said) > before, what="what it says of it")

    def context(self, age):
        context = ssl.create_default_context(cafile=str(self.adapter.dir / f"authority.{age}.pem"))
        context.load_cert_chain(self.adapter.dir / f"server.{age}.pem", self.adapter.dir / f"server.{age}.key")
        return context

    def connect(self, age):
        port = int(self.adapter.address.rsplit(":", 1)[1])
        return self.context(age).wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10),
                                             server_hostname="127.0.0.1")

    def next_message(self):
        self.sent += 1
        return message("A01", f"M{self.sent}", "4711^^^AZT^PI", pv1={19: f"V{self.sent}"})

    def say(self, connection):
        connection.sendall(SB + self.next_message().encode() + EB + CR)
        data = b""
        while EB + CR not in data:
            more = connection.recv(65536)
            self.assertTrue(more, "the connection has ended")
            data += more
        self.assertEqual(code_of(hl7.parse(data[1:data.index(EB)].decode())), "AA")

    def post(self, connection):
        connection.request("POST", "/hl7", self.next_message().encode(), {"Content-Type": "application/hl7-v2"})
        answer = connection.getresponse()
        self.assertIn(answer.status, (200, 201), answer.read())
        answer.read()

    def refused(self, age):
        """Neither port speaks to who knows only that authority, and is only known to it."""
        with self.assertRaises(ssl.SSLError):
            self.connect(age)
        with self.assertRaises(ssl.SSLError):
            http.client.HTTPSConnection("127.0.0.1", self.ports["http"], timeout=10, context=self.context(age)).connect()

    def test_senders_go_on_and_new_ones_meet_what_is_renewed(self):
        mllp = self.connect(1)
        web = http.client.HTTPSConnection("127.0.0.1", self.ports["http"], timeout=10, context=self.context(1))
        self.say(mllp)
        self.post(web)
        at = web.sock
        self.refused(2)
        self.install(2)
        self.refused(2)  # nobody has asked it to look
        self.renew("certificates were read anew")
        self.say(mllp)
        self.post(web)
        self.assertIs(web.sock, at, "the same connection")
        self.refused(1)
        with self.connect(2) as renewed:
            self.say(renewed)
        new = http.client.HTTPSConnection("127.0.0.1", self.ports["http"], timeout=10, context=self.context(2))
        self.post(new)
        (self.adapter.dir / "server.key").write_text("not a key\n")
        self.renew("stays in force")
        with self.connect(2) as renewed:
            self.say(renewed)
        self.post(new)
        self.say(mllp)
        for connection in (mllp, web, new):
            connection.close()
        self.install(2)

    def test_receivers_meet_what_is_renewed(self):
        receivers = [Receiver(self.adapter.dir, 1, self.ports["mllp_out"], speak_mllp),
                     Receiver(self.adapter.dir, 1, self.ports["http_out"], speak_http)]
        with self.connect(1) as sender:
            self.say(sender)
            harness.until(lambda: all(r.taken == 1 for r in receivers), 30, "one for each")
            self.install(2)
            self.renew("certificates were read anew")
            self.say(sender)
            harness.until(lambda: all(r.taken == 2 for r in receivers), 30, "one more, on the connections that are there")
            self.assertEqual([r.names for r in receivers], [["adapter 1"]] * 2)
            for receiver in receivers:
                receiver.close()
            receivers = [Receiver(self.adapter.dir, 2, self.ports["mllp_out"], speak_mllp),
                         Receiver(self.adapter.dir, 2, self.ports["http_out"], speak_http)]
            self.say(sender)
            harness.until(lambda: all(r.taken >= 1 for r in receivers), 30, "one for each that is new")
        self.assertEqual([set(r.names) for r in receivers], [{"adapter 2"}] * 2)
        for receiver in receivers:
            receiver.close()


if __name__ == "__main__":
    unittest.main()
