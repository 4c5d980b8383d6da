"""`make model`: downloads from a hub of the test's own, which keeps large files on another server
as the real one does, and misbehaves on command."""
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

REVISION = "0123456789abcdef0123456789abcdef01234567"
MODEL = "some-owner/some_model-v1.5"
ENTRY = "models--some-owner--some_model-v1.5"
WEIGHTS = bytes(range(256)) * 2000
SMALL = {
    "config.json": b'{"architectures": ["BertModel"]}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b'{"model_max_length": 512}',
    "modules.json": b"[]",
    "1_Pooling/config.json": b'{"pooling_mode_cls_token": true}',
    "special_tokens_map.json": b"",
    "README.md": b"# not for us",
    "onnx/model.onnx": b"nor this",
}
WANTED = set(SMALL) - {"README.md", "onnx/model.onnx"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        hub.requests.append((self.command, self.server.role, self.path,
                             self.headers.get("Range"), self.headers.get("Authorization")))
        if hub.token and self.server.role == "hub" and \
                self.headers.get("Authorization") != "Bearer " + hub.token:
            return self.answer(401, b'{"error": "Invalid username or password."}')
        if self.path == "/api/models/" + MODEL and hub.files is not None:
            return self.answer(200, hub.about())
        prefix = f"/{MODEL}/resolve/{REVISION}/"
        name = self.path[len(prefix):]
        if hub.files is None or not self.path.startswith(prefix) or name not in hub.files:
            return self.answer(404, b"Entry not found")
        if self.server.role == "hub" and name.endswith(".safetensors"):
            size = str(hub.sizes.get(name, len(hub.files[name])))
            return self.answer(302, X_Linked_Size=size,
                               Location=f"http://127.0.0.1:{hub.ports['cdn']}{self.path}")
        return self.send_file(name, hub)

    def send_file(self, name, hub):
        data, start, wanted = hub.files[name], 0, self.headers.get("Range")
        if wanted and hub.ranges:
            start = int(wanted[len("bytes="):].split("-")[0])
            if start >= len(data):
                return self.answer(416)
        status, headers = 200, {"Content-Length": str(len(data) - start)}
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        if self.command == "GET" and hub.breaks.get(name, 0) > 0:
            hub.breaks[name] -= 1
            body = body[:len(body) // 2]
            self.close_connection = True
        return self.answer(status, body, **headers)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """curl leaves when it has seen enough."""


class Hub:
    """Two servers: the hub, and where it redirects to for large files."""

    def __init__(self):
        self.files = dict(SMALL, **{"model.safetensors": WEIGHTS})
        self.sizes, self.breaks = {}, {}     # what is told of a file; how often it is broken off
        self.ranges, self.token, self.requests = True, None, []
        self.servers, self.ports = [], {}
        for role in ("hub", "cdn"):
            server = Server(("127.0.0.1", 0), Handler)
            server.hub, server.role = self, role
            self.ports[role] = server.server_address[1]
            self.servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def about(self):
        names = [{"rfilename": name} for name in self.files]
        return json.dumps({"_id": "1", "id": MODEL, "sha": REVISION, "siblings": names,
                           "tags": ["a", "b"], "cardData": {"license": "mit"}}).encode()

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


@unittest.skipUnless(shutil.which("curl"), "curl is not here")
class ModelDownloadTest(unittest.TestCase):
    def setUp(self):
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.snapshot = os.path.join(self.folder, ENTRY, "snapshots", REVISION)

    def download(self, model=MODEL, **variables):
        """(whether it succeeded, what it said); the files asked for are in self.got."""
        self.hub.requests.clear()
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("HF_", "XDG_", "LD_"))
                       and "proxy" not in name.lower()}
        environment.update(HOME=self.folder,
                           HF_ENDPOINT=f"http://127.0.0.1:{self.hub.ports['hub']}")
        environment.update(variables)
        script = os.path.join(support.ROOT, "tests", "tools", "model.sh")
        destination = [] if "HF_HUB_CACHE" in variables else [self.folder]
        result = subprocess.run(["sh", script, model] + destination, env=environment, timeout=120,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        self.got = [request for request in self.hub.requests
                    if request[0] == "GET" and "/resolve/" in request[2]]
        return result.returncode == 0, result.stdout.decode("utf-8", "replace")

    def succeeds(self, **variables):
        done, text = self.download(**variables)
        self.assertTrue(done, text)
        return text

    def fails(self, pattern, **options):
        done, text = self.download(**options)
        self.assertFalse(done, text)
        self.assertRegex(text, pattern)
        self.assertFalse(os.path.exists(os.path.join(self.folder, ENTRY, "refs", "main")))
        self.assertFalse(os.path.exists(self.snapshot))
        return text

    def check(self, names):
        """The snapshot holds these files and no others, whole, and is the one that counts."""
        found = set()
        for path, _, files in os.walk(self.snapshot):
            found |= {os.path.relpath(os.path.join(path, name), self.snapshot) for name in files}
        self.assertEqual(found, names)
        for name in names:
            with open(os.path.join(self.snapshot, name), "rb") as file:
                self.assertEqual(file.read(), self.hub.files[name], name)
        with open(os.path.join(self.folder, ENTRY, "refs", "main"), encoding="utf-8") as file:
            self.assertEqual(file.read(), REVISION)
        self.assertEqual(os.listdir(os.path.join(self.folder, ENTRY, "snapshots")), [REVISION])

    def test_all_that_is_needed_and_nothing_else(self):
        text = self.succeeds()
        self.assertIn(f"model.safetensors: {len(WEIGHTS)} bytes", text)
        self.check(WANTED | {"model.safetensors"})

    def test_what_is_there_is_not_downloaded_again(self):
        self.succeeds()
        self.assertIn(": 0 bytes downloaded", self.succeeds())
        self.assertEqual(self.got, [])
        os.remove(os.path.join(self.snapshot, "tokenizer.json"))
        self.succeeds()
        self.assertEqual(len(self.got), 1)
        self.check(WANTED | {"model.safetensors"})

    def test_where_it_goes_without_a_folder(self):
        self.succeeds(HF_HUB_CACHE=self.folder)
        self.check(WANTED | {"model.safetensors"})

    def test_a_broken_connection_is_resumed(self):
        self.hub.breaks["model.safetensors"] = 2
        self.succeeds()
        ranges = [request[3] for request in self.got
                  if request[1] == "cdn" and request[2].endswith("model.safetensors")]
        self.assertEqual(ranges, [None, f"bytes={len(WEIGHTS) // 2}-",
                                  f"bytes={len(WEIGHTS) // 4 * 3}-"])
        self.check(WANTED | {"model.safetensors"})

    def test_a_later_run_goes_on(self):
        self.hub.breaks["model.safetensors"] = 4
        self.fails("model.safetensors: given up after 4 attempts; start again to go on")
        self.succeeds()
        self.assertEqual({os.path.basename(request[2]) for request in self.got},
                         {"model.safetensors"})
        self.assertRegex(self.got[-1][3], r"^bytes=\d+-$")
        self.check(WANTED | {"model.safetensors"})

    def test_a_server_that_cannot_resume(self):
        self.hub.breaks["model.safetensors"], self.hub.ranges = 1, False
        self.succeeds()
        self.check(WANTED | {"model.safetensors"})

    def test_a_file_that_is_shorter_than_told(self):
        self.hub.sizes["model.safetensors"] = len(WEIGHTS) + 1
        self.fails(f"model.safetensors: {len(WEIGHTS)} bytes, expected {len(WEIGHTS) + 1}")
        self.hub.sizes["model.safetensors"] = len(WEIGHTS) - 1
        self.fails(f"model.safetensors: {len(WEIGHTS)} bytes, expected {len(WEIGHTS) - 1}")
        self.hub.sizes.clear()
        self.succeeds()
        self.check(WANTED | {"model.safetensors"})

    def test_no_such_model(self):
        self.hub.files = None
        self.fails(f"{MODEL}: http://127.0.0.1:[0-9]+ has no such model .*404")

    def test_a_file_that_went_away(self):
        about = self.hub.about()
        self.hub.about = lambda: about
        del self.hub.files["model.safetensors"]
        self.fails("404")

    def test_a_login_is_asked_for(self):
        self.hub.token = "hf_secretXYZ"
        self.fails("set HF_TOKEN")
        text = self.succeeds(HF_TOKEN="hf_secretXYZ")
        self.assertNotIn("secretXYZ", text)
        self.check(WANTED | {"model.safetensors"})
        elsewhere = [request for request in self.hub.requests if request[1] == "cdn"]
        self.assertTrue(elsewhere)
        self.assertEqual({request[4] for request in elsewhere}, {None})

    def test_models_that_cannot_be_read(self):
        self.hub.files["pytorch_model.bin"] = b"pickled"
        del self.hub.files["model.safetensors"]
        self.fails("no model.safetensors, only .*pytorch_model.bin")
        self.hub.files["model.safetensors"] = WEIGHTS
        del self.hub.files["tokenizer.json"]
        self.fails("no tokenizer.json and no vocab.txt")
        del self.hub.files["config.json"]
        self.fails("no config.json")
        self.assertEqual(self.got, [])

    def test_shards(self):
        del self.hub.files["model.safetensors"]
        names = {f"model-0000{number}-of-00002.safetensors" for number in (1, 2)}
        for number, name in enumerate(sorted(names)):
            self.hub.files[name] = WEIGHTS[number:70000]
        index = {"metadata": {"total_size": 1}, "weight_map": {
            "a.weight": min(names), "b.weight": max(names), "c.weight": min(names)}}
        self.hub.files["model.safetensors.index.json"] = json.dumps(index, indent=2).encode()
        self.succeeds()
        self.check(WANTED | names | {"model.safetensors.index.json"})

    def test_shards_of_other_folders(self):
        del self.hub.files["model.safetensors"]
        for name in ("../evil.safetensors", "absent.safetensors"):
            index = {"weight_map": {"a.weight": name}}
            self.hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
            self.fails("model.safetensors.index.json")
            shutil.rmtree(os.path.join(self.folder, ENTRY))

    def test_names(self):
        for name in ("", "model", "a/b/c", "../b", "a/..", "a b/c", "a/b;c", "/a", "a/"):
            done, text = self.download(name)
            self.assertFalse(done, name)
            self.assertIn("expected MODEL=owner/name", text)
        self.assertEqual(self.hub.requests, [])

    def test_a_hub_that_is_not_there(self):
        self.fails("cannot be reached", HF_ENDPOINT="http://127.0.0.1:1")
        self.fails("expected HF_ENDPOINT to begin with", HF_ENDPOINT="file:///etc")


if __name__ == "__main__":
    unittest.main()
