"""The model zoo: what the metafiles say, fetching from a server of our own, converting a local file."""

import hashlib
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import torch

from ovdense.apis import zoo
from ovdense.cli import main

CONTENT = bytes(range(256)) * 9000


class Server(BaseHTTPRequestHandler):
    """Sends CONTENT; knows ranges where ``resumes``; breaks off after ``cut`` bytes."""

    resumes, cut, seen = True, None, []

    def do_GET(self):
        begin = 0
        if self.resumes and (asked := self.headers.get("Range")):
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.seen.append((self.path, begin))
        if begin >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        self.wfile.write(CONTENT[begin:][: self.cut])

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(Server, "seen", [])
    for name in ("http_proxy", "HTTP_PROXY", zoo.MIRROR):
        monkeypatch.delenv(name, raising=False)
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{running.server_address[1]}", handler=Server)
    running.shutdown()
    running.server_close()


def entry(**changes) -> zoo.Checkpoint:
    values = {name: f"a {name}" for name in zoo.Checkpoint.__dataclass_fields__}
    values |= dict(name="toy", file="toy.pth", url=None, sha256=hashlib.sha256(CONTENT).hexdigest())
    return replace(zoo.Checkpoint(**values), **changes)


def test_the_zoo_knows_every_system_that_has_a_converter():
    methods = {each.method for each in zoo.zoo()}
    assert methods >= {"CLIP-DINOiser", "Talk2DINO", "OVSeg", "FC-CLIP", "MAFT+", "SAN", "CAT-Seg", "RegionCLIP"}


def test_a_file_is_fetched_and_checked(server, tmp_path):
    told = []
    path = zoo.download(entry(url=f"{server.url}/toy"), tmp_path, told=lambda *each: told.append(each))
    assert path.read_bytes() == CONTENT and told[-1] == (len(CONTENT), len(CONTENT))
    zoo.download(entry(url=f"{server.url}/toy"), tmp_path)
    assert server.handler.seen == [("/toy", 0)]  # the second time the file lay there


@pytest.mark.parametrize("resumes", [True, False])
def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path, monkeypatch, resumes):
    monkeypatch.setattr(Server, "cut", 100_000)
    monkeypatch.setattr(Server, "resumes", resumes)
    with pytest.raises(zoo.ZooError, match=r"after 100000 of 2304000 bytes\. What came is kept in .*toy\.pth\.part"):
        zoo.download(entry(url=f"{server.url}/toy"), tmp_path)
    monkeypatch.setattr(Server, "cut", None)
    path = zoo.download(entry(url=f"{server.url}/toy"), tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.handler.seen[-1] == ("/toy", 100_000 if resumes else 0)


def test_a_whole_part_is_taken_as_it_is(server, tmp_path):
    (tmp_path / "toy.pth.part").write_bytes(CONTENT)
    assert zoo.download(entry(url=f"{server.url}/toy"), tmp_path).read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_put_aside(server, tmp_path):
    with pytest.raises(zoo.ZooError, match="is not the published file"):
        zoo.download(entry(url=f"{server.url}/toy", sha256="0" * 64), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["toy.pth.wrong"]


def test_a_mirror_stands_for_an_address(server, tmp_path, monkeypatch):
    monkeypatch.setenv(
        zoo.MIRROR, f"https://hub.example=http://nowhere.invalid, https://other.example/a={server.url}/b"
    )
    zoo.download(entry(url="https://other.example/a/toy"), tmp_path)
    assert server.handler.seen == [("/b/toy", 0)]
    with pytest.raises(zoo.ZooError, match="a mirror is FROM=TO, two http addresses, got 'x=y'"):
        zoo.mirrored("https://a", "x=y")


def test_nothing_is_fetched_where_only_a_page_is_published(tmp_path):
    with pytest.raises(zoo.ZooError, match=r"a page .*for browsers only: fetch it there"):
        zoo.download(entry(), tmp_path)
    with pytest.raises(zoo.ZooError, match="http or https, got file:///etc/passwd"):
        zoo.download(entry(url="file:///etc/passwd"), tmp_path)


def test_a_local_file_is_converted_by_the_zoo_s_command(tmp_path, capfd):
    torch.manual_seed(0)
    weights = dict(weight=torch.randn(1, 384, 1, 1), bias=torch.randn(1))
    torch.save(weights, tmp_path / "decoder_weights.pt")
    source, out = str(tmp_path / "decoder_weights.pt"), str(tmp_path / "new" / "found.pth")
    assert main(["zoo", "convert", "found_vit-s8", "--source", source, "--out", out]) == 0
    state = torch.load(out, weights_only=True)["state_dict"]
    assert torch.equal(state["decode_head.decoder.weight"], weights["weight"])
    assert f"--checkpoint {out}" in capfd.readouterr().out
    assert main(["zoo", "convert", "found_vit-s8", "--source", source, "--out", out]) == 2
    assert "exists: name another file" in capfd.readouterr().err
    torch.save(dict(weights, odd=torch.zeros(1)), source)
    assert main(["zoo", "convert", "found_vit-s8", "--source", source, "--out", f"{out}2"]) == 2
    assert "odd" in capfd.readouterr().err


def test_what_needs_no_conversion_and_what_is_missing_are_told(tmp_path, capsys):
    assert main(["zoo", "convert", "talk2dino_dinov2-vit-b14", "--source", str(tmp_path / "none.pth")]) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "other.pth").write_bytes(b"something else")
    assert main(["zoo", "convert", "talk2dino_dinov2-vit-b14", "--source", str(tmp_path / "other.pth")]) == 2
    assert "is not the published file" in capsys.readouterr().err
    with pytest.raises(zoo.ZooError, match="needs no conversion"):
        zoo.conversion(entry(convert=None), "a", "b")


def test_the_command_lists_and_describes(capsys):
    assert main(["zoo", "list", "--method", "fc-clip"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[1].startswith("fc-clip_rn50_coco-133 ") and "PQ 17.9" in lines[1]
    assert main(["zoo", "list", "--method", "nothing"]) == 1
    capsys.readouterr()
    assert main(["zoo", "info", "san_vit-b16_coco-stuff-171", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["method"], each["licence"], each["file"]) for each in told] == [("SAN", "MIT", "san_vit_b_16.pth")]
    assert main(["zoo", "info", "san_vit-b16"]) == 2
    assert "did you mean san_vit-b16_coco-stuff-171" in capsys.readouterr().err


def test_metafiles_are_held_to_their_form(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "metafile.yml").write_text("Collections: [{Name: A}]\nCheckpoints: [{Name: x}]")
    with pytest.raises(zoo.ZooError, match=r"checkpoint 'x' lacks \['File', 'Page'"):
        zoo.zoo(tmp_path)
    whole = ", ".join(f"{key}: x" for key in zoo.NEEDED)
    text = f"Collections: [{{Name: A, Paper: p, Code: c}}]\nCheckpoints: [{{{whole}}}, {{{whole}}}]"
    (tmp_path / "a" / "metafile.yml").write_text(text)
    with pytest.raises(zoo.ZooError, match=r"names of the zoo must differ, got twice: \['x'\]"):
        zoo.zoo(tmp_path)
