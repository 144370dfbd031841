"""`gristmill dedup report`: its page, JSON and CSV say what the manifests of real jobs say, also of next to nothing."""

import csv
import io
import json
import random
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import planted
import pytest
from planted import Part, prose, with_changes
from report_browser import CHROMIUM, Browser
from report_example import PAYLOADS, write_example

from pipeline import stages
from pipeline.console import elsewhere
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.report.corpus_report import write_report
from pipeline.report.dedup_report import write_dedup_report
from pipeline.report.formats import shortened

FILES = ["clusters.csv", "curve.csv", "dedup.json", "index.html", "overlap.csv", "pairs.csv", "sizes.csv"]


class Tables(HTMLParser):
    """The tables of a page by name: the values of their cells, a number as it is copied."""

    def __init__(self, page: str):
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "div" and values.get("role") == "region":
            self._rows = self.found[values["aria-label"] or ""] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append(values.get("data-value") or "")
            self._in_cell = "data-value" not in values

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self._rows[-1][-1] += data

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table; where two columns have one title, the later one's cells."""
        head, *rows = self.found[name]
        return [dict(zip(head, row, strict=True)) for row in rows]


def deduplicated(output: Path, parts: list[Part], **dedup: Any) -> Path:
    corpus = planted.corpus_of(output, dedup=dedup)
    corpus.claim()
    planted.plant(corpus, parts)
    planted.run(corpus, *stages.jobs("dedup", corpus.config))
    return output


def page_of(output: Path) -> str:
    write_dedup_report(str(output))
    return page(output)


def copies(seed: int = 0) -> list[Part]:
    """Three dumps of pages that come back with ever more changes, and of some that are new."""
    chance = random.Random(seed)
    pages = [prose(chance, 160) for _ in range(20)]
    parts = []
    for number, dump in enumerate(("2023", "2024", "2025")):
        again = [with_changes(chance, page, changes) for changes, page in enumerate(pages[: 14 + 2 * number])]
        parts.append(Part(dump, 0, [*again, *again[:3], prose(chance, 150)]))
    return parts


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = deduplicated(tmp_path_factory.mktemp("dedup") / "out", copies(), both_orders=True)
    write_dedup_report(str(folder))
    return folder


def manifest(output: Path, folder: str) -> dict[str, Any]:
    return json.loads((output / folder / "manifest.json").read_text())


def table(output: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((output / "dedup-report" / f"{name}.csv").read_text("utf-8"))))


def page(output: Path) -> str:
    return (output / "dedup-report" / "index.html").read_text("utf-8")


def test_the_folder_holds_a_page_json_and_tables(output: Path) -> None:
    names = sorted(path.name for path in (output / "dedup-report").iterdir())
    assert names == sorted([*FILES, "curve_reversed.csv"])
    assert write_dedup_report(str(output)) == str(output / "dedup-report" / "index.html")


def test_json_holds_the_manifests_unchanged(output: Path) -> None:
    found = json.loads((output / "dedup-report" / "dedup.json").read_text())
    for stage, folder in (("cluster", "clusters"), ("match", "candidates")):
        written = manifest(output, folder)
        assert found[stage]["counts"] == written["counts"]
        for key, value in written["details"].items():
            shown = found[stage][key]
            if key in ("accepted_samples", "rejected_samples", "largest"):  # to which texts were added
                shown = [{name: row[name] for name in value[0]} for row in shown]
            elif isinstance(value, dict):
                shown = {name: shown[name] for name in value}
            assert shown == value, (stage, key)
    assert found["reference"]["curve"][-1] == {"dumps": 91, "share": 0.898}


def test_tables_hold_the_numbers_of_the_manifests(output: Path) -> None:
    details = manifest(output, "clusters")["details"]
    for name in ("curve", "curve_reversed"):
        rows = table(output, name)
        assert len(rows) == 3
        assert rows[0].keys() - {"deepseek_llm_share"} == details[name][0].keys()
        for row, point in zip(rows, details[name], strict=True):
            assert {field: type(point[field])(row[field]) for field in row if field in point} == {
                field: point[field] for field in row if field in point
            }
    assert [row["deepseek_llm_share"] for row in table(output, "curve")] == ["0.222", "0.467", ""]
    overlap = details["overlap"]
    assert [list(row.values()) for row in table(output, "overlap")] == [
        [dump, *map(str, row)] for dump, row in zip(overlap["dumps"], overlap["matrix"], strict=True)
    ]
    assert [[int(row["size"]), int(row["clusters"])] for row in table(output, "sizes")] == details["sizes"]
    assert [(row["cluster"], int(row["size"]), row["key"], row["url"]) for row in table(output, "clusters")] == [
        (each["cluster"], each["size"], key, url)
        for each in details["largest"]
        for key, url in zip(each["keys"], each["urls"], strict=True)
    ]
    samples = manifest(output, "candidates")["details"]
    assert [(row["verdict"], row["left"], row["right"], float(row["jaccard"])) for row in table(output, "pairs")] == [
        (verdict, pair["left"], pair["right"], pair["jaccard"])
        for verdict in ("accepted", "rejected")
        for pair in samples[f"{verdict}_samples"]
    ]
    assert len(table(output, "pairs")) > 3


def test_the_page_shows_the_numbers_of_the_manifests(output: Path) -> None:
    tables = Tables(page(output))
    details, match = manifest(output, "clusters")["details"], manifest(output, "candidates")["details"]
    together = tables.rows("Removed against number of dumps")
    assert [int(row["dumps"]) for row in together] == [1, 2, 3, 6, 12, 16, 22, 41, 91]
    for row, point, back in zip(together, details["curve"], details["curve_reversed"]):
        assert (row["up to"], int(row["documents"]), int(row["removed"])) == (
            point["dump"],
            point["documents"],
            point["removed"],
        )
        assert float(row["share"]) == point["share"]
        assert (row["back to"], int(row["removed backwards"])) == (back["dump"], back["removed"])
    assert [row["DeepSeek LLM"] for row in together[:3]] == ["0.222", "0.467", "–"]

    before = {"documents": 0, "removed": 0}
    for row, point in zip(tables.rows("What each dump brings"), details["curve"], strict=True):
        documents, removed = point["documents"] - before["documents"], point["removed"] - before["removed"]
        assert (row["dump"], int(row["documents"])) == (point["dump"], documents)
        assert int(row["removed by itself"]) == point["alone_removed"]
        assert (int(row["removed after those before"]), int(row["new documents"])) == (removed, documents - removed)
        before = point
    assert [list(row.values())[1:] for row in tables.rows("Overlap between dumps")] == [
        list(map(str, row)) for row in details["overlap"]["matrix"]
    ]
    sizes = tables.rows("Cluster sizes")
    assert [[int(row["documents in it"]), int(row["clusters"])] for row in sizes] == details["sizes"]
    assert sum(int(row["documents"]) for row in sizes) == manifest(output, "clusters")["counts"]["documents"]
    passes = tables.rows("Verification")
    assert [{name: int(row[name]) for name in ("candidates", "accepted", "rejected")} for row in passes] == match[
        "passes"
    ]
    far = tables.rows("How far removed documents are from what stays")
    assert [[int(row["pairs"]), int(row["documents removed"])] for row in far] == details["chains"]["by_distance"]
    method = {row["what"]: row["how"] for row in tables.rows("How copies were decided")}
    beyond = sum(documents for away, documents in details["chains"]["by_distance"] if away > 1)
    assert method["removed, more than one pair from the copy that stays"].startswith(
        f"{beyond} of {details['removed']['documents']} ("
    )
    assert method["why so"] == details["components"]["reason"]
    assert method["similarity"] == "estimated from signatures, at least 0.7"
    removed = details["removed"]
    assert f">{removed['documents']:,} removed," in page(output)


def test_texts_stand_side_by_side(output: Path) -> None:
    found = json.loads((output / "dedup-report" / "dedup.json").read_text())
    documents = planted.table(output, "documents")
    texts = dict(zip(documents["key"].to_pylist(), documents["text"].to_pylist()))
    assert found["texts_missing"] == ""
    compared = 0
    for pair in (*found["match"]["accepted_samples"][:10], *found["match"]["rejected_samples"][:10]):
        left, right = (texts[int(pair[side])].split() for side in ("left", "right"))
        same = sum(a == b for a, b in zip(left, right))  # words were replaced, none moved
        assert (pair["difference"]["left_words"], pair["difference"]["right_words"]) == (len(left), len(right))
        assert same * 0.97 <= pair["difference"]["same_words"] <= same
        compared += 1
    assert compared > 5
    for large in found["cluster"]["largest"][:10]:
        first, other = large["compared"]
        assert first == large["keys"][0] and other in large["keys"]
        shared = [sum(map(str.__eq__, texts[int(first)].split(), texts[int(k)].split())) for k in large["keys"][1:5]]
        place = large["keys"].index(other) - 1
        assert shared[place] <= min(shared) + 3  # the one least like the first
    assert page(output).count("<details class=comparison>") >= compared


def test_the_whole_report_shows_the_same(output: Path) -> None:
    whole = Path(write_report(output)).read_text("utf-8")
    alone, within = Tables(page(output)).found, Tables(whole).found
    assert {name: within[name] for name in alone} == alone
    assert whole.count("<details class=comparison>") == page(output).count("<details class=comparison>")


def test_where_texts_are_gone_it_says_so_and_goes_on(output: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(output, tmp_path / "copy"))
    shutil.rmtree(copy / "documents" / "dump=2025")
    write_dedup_report(str(copy))
    found = json.loads((copy / "dedup-report" / "dedup.json").read_text())
    assert "documents to compare are not in documents/ any more" in found["texts_missing"]
    assert found["texts_missing"] in page(copy).replace("&#x27;", "'")
    assert any("difference" in pair for pair in found["match"]["accepted_samples"])
    shutil.rmtree(copy / "documents")
    write_dedup_report(str(copy))
    write_report(copy)
    assert "<details" not in page(copy)
    assert Tables(page(copy)).found.keys() == Tables(page(output)).found.keys()


def test_one_dump_has_a_curve_of_one_point_and_no_overlap(tmp_path: Path) -> None:
    output = deduplicated(tmp_path / "out", copies()[:1])
    write_dedup_report(str(output))
    assert [row["dump"] for row in table(output, "curve")] == ["2023"]
    assert "back to" not in Tables(page(output)).found["Removed against number of dumps"][0]
    assert "id=overlap" not in page(output)
    assert not (output / "dedup-report" / "curve_reversed.csv").exists()


def test_tables_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    output = deduplicated(tmp_path / "out", copies(), both_orders=True, paragraphs=True)
    write_dedup_report(str(output))
    folder = output / "dedup-report"
    (folder / "notes.csv").write_text("mine")
    assert len(list(folder.iterdir())) == len(FILES) + 3
    found = manifest(output, "clusters")
    found["details"]["curve_reversed"] = []
    (output / "clusters" / "manifest.json").write_text(json.dumps(found))
    (output / "paragraphs" / "manifest.json").unlink()
    write_dedup_report(str(output))
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "notes.csv"])


def test_a_least_similarity_of_nothing_is_shown(output: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(output, tmp_path / "copy"))
    found = manifest(copy, "candidates")
    found["details"]["threshold"] = 0.0
    (copy / "candidates" / "manifest.json").write_text(json.dumps(found))
    write_dedup_report(str(copy))
    method = {row["what"]: row["how"] for row in Tables(page(copy)).rows("How copies were decided")}
    assert method["similarity"] == "estimated from signatures, at least 0"


def test_what_other_corpora_and_the_chain_bound_decide_is_said(tmp_path: Path) -> None:
    [first, *_] = copies()
    other = deduplicated(tmp_path / "other", [first._replace(dump="elsewhere")])
    output = deduplicated(tmp_path / "out", [first], against=[str(other)], max_chain=1)
    write_dedup_report(str(output))
    assert manifest(output, "clusters")["details"]["removed"]["outside"] == len(first.texts)
    method = {row["what"]: row["how"] for row in Tables(page(output)).rows("How copies were decided")}
    assert method[f"against {other}"] == f"{len(first.texts)} documents have a copy there"
    assert method["chains"].startswith("at most 1 pair to the kept copy; it keeps")
    assert "Known elsewhere" in page(output)
    assert [row["removed"] for row in table(output, "curve")] == [str(len(first.texts))]
    assert f"{len(first.texts)} of the documents removed have a copy in another corpus." in page(output)
    told = [elsewhere(*of) for of in [("match", manifest(output, "candidates")["details"])]]
    assert told == [f"; {len(first.texts)} documents have a copy in {other}"]
    told = elsewhere("cluster", manifest(output, "clusters")["details"])
    assert told == f", {len(first.texts)} of them copies in another corpus"


def test_dumps_that_were_not_held_against_each_other_are_not_called_together(output: Path, tmp_path: Path) -> None:
    apart = page_of(deduplicated(tmp_path / "out", copies(), scope="per-dump"))
    assert "copies looked for inside each dump only (scope: per-dump)" in apart and "as all were here" in apart
    for said in ("A point is the share of documents removed when", "when the dumps before it are there too"):
        assert said in page(output) and said not in apart
    assert "%{x} each by itself" in apart and "%{x} together" not in apart


def test_what_unfolds_says_whose_texts_it_shows(output: Path) -> None:
    found = json.loads((output / "dedup-report" / "dedup.json").read_text())
    folded = re.findall(r"<summary>(.*?)</summary>", page(output))
    names = [re.search(r"<bdi dir=auto>(.+)</bdi>", row)[1] for row in folded]
    for pair in found["match"]["accepted_samples"][:10]:
        assert shortened(pair["left_url"] or "(no URL)", 60) in names
    assert shortened("https://example.org/" + "a" * 90 + "/end", 40) == "https://example.org/…aaaaaaaaaaaaaaa/end"


def test_the_most_frequent_paragraphs_are_shown_by_their_text(tmp_path: Path) -> None:
    chance = random.Random(5)
    notice = "All pages of this site may be copied by anybody for any use whatever"
    texts = [f"{prose(chance, 60)}\n{notice}\n{prose(chance, 60)}" for _ in range(6)]
    output = deduplicated(tmp_path / "out", [Part("2023", 0, texts)], paragraphs=True)
    write_dedup_report(str(output))
    assert table(output, "paragraphs") == [{"copies": "6", "key": "0", "line": "1", "text": notice}]
    [row] = Tables(page(output)).rows("The most frequent paragraphs")
    assert (row["copies"], row["paragraph"]) == ("6", notice)
    counts = manifest(output, "paragraphs")["counts"]
    assert counts["removed"] == 5 and ">Paragraphs removed</dt><dd class=value>5<" in page(output)


def test_no_pairs_is_no_error(tmp_path: Path) -> None:
    chance = random.Random(3)
    output = deduplicated(tmp_path / "out", [Part(dump, 0, [prose(chance, 80)]) for dump in ("2023", "2024")])
    write_dedup_report(str(output))
    assert [row["removed"] for row in table(output, "curve")] == ["0", "0"]
    assert table(output, "pairs") == [] and table(output, "clusters") == []
    assert [list(row.values()) for row in table(output, "sizes")] == [["1", "2"]]
    assert ">2 → 2<" in page(output).replace("\u00a0", " ")
    assert "<details" not in page(output)


def test_a_corpus_without_documents_says_so(tmp_path: Path) -> None:
    output = deduplicated(tmp_path / "out", [Part("2023", 0, [])])
    write_dedup_report(str(output))
    write_report(output)
    assert "There are no documents, so there is nothing to remove." in page(output)
    assert sorted(path.name for path in (output / "dedup-report").iterdir()) == FILES


def test_before_deduplication_it_says_what_to_run(tmp_path: Path) -> None:
    corpus: Corpus = planted.corpus_of(tmp_path / "out")
    planted.plant(corpus, copies()[:1])
    with pytest.raises(GristmillError, match=r"has not run yet: .*gristmill run --until dedup"):
        write_dedup_report(str(tmp_path / "out"))
    assert not (tmp_path / "out" / "dedup-report").exists()


def test_settings_and_estimated_tokens_stand_there_where_they_are_known(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    write_dedup_report(str(output))
    found = json.loads((output / "dedup-report" / "dedup.json").read_text())["cluster"]["removed"]
    languages = manifest(output, "runs")["details"]["languages"].values()
    per_token = sum(row["bytes"] for row in languages) / sum(row["tokens"] for row in languages)
    assert found["tokens_estimated"] == round(found["bytes"] / per_token)
    assert "≈" in page(output) and "estimated: bytes removed by the bytes a token" in page(output)
    settings = {row["key"]: row["value"] for row in Tables(page(output)).rows("Settings")}
    assert settings == {"ngram": "5", "bands": "14", "rows": "8", "keep": "earliest"}
    (output / "runs" / "manifest.json").unlink()
    (output / "corpus.yaml").write_text("[")
    write_dedup_report(str(output))
    assert "Tokens removed" not in page(output) and "Words removed" in page(output)


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    path = output / "candidates" / "manifest.json"
    written = json.loads(path.read_text())
    for pair, url in zip(
        written["details"]["accepted_samples"], ("=1+1", "+x", "-x", "@x", "\tx", 'https://a.example/,"')
    ):
        pair["left_url"] = url
    path.write_text(json.dumps(written))
    write_dedup_report(str(output))
    urls = [row["left_url"] for row in table(output, "pairs")][:6]
    assert urls == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", 'https://a.example/,"']


def test_the_same_folder_gives_the_same_bytes(output: Path) -> None:
    folder = output / "dedup-report"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_dedup_report(str(output))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_what_a_crawl_says_stays_inert_in_texts_too(tmp_path: Path) -> None:
    path = Path(write_dedup_report(str(write_example(tmp_path / "hostile", hostile=True))))
    browser = Browser(tmp_path / "profile")
    try:
        for width, dark in ((1360, False), (390, True)):
            browser.open(path, width=width, dark=dark)
            unfold = "document.querySelectorAll('details').forEach((each) => each.querySelector('summary').click())"
            browser.evaluate(unfold)
            browser.wait_for("document.querySelectorAll('details[open]').length >= 25")
            assert browser.evaluate("typeof window.owned") == "undefined"
            foreign = "main img, main a, main script, main style, main iframe, svg a"
            assert browser.evaluate(f"document.querySelectorAll('{foreign}').length") == 0
            texts = browser.evaluate("[...document.querySelectorAll('details')].map((each) => each.innerText).join()")
            assert all(payload in texts for payload in PAYLOADS[:2])
            assert "\u202e" not in texts
            drawn = "[...document.querySelectorAll('.chart')].map((e) => e.querySelectorAll('.trace, .hm').length)"
            assert len(browser.evaluate(drawn)) == 4 and all(browser.evaluate(drawn))
            assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert browser.problems == []
            assert {url for url in browser.requests if not url.startswith("data:")} <= {path.as_uri()}
    finally:
        browser.close()
