"""Truth on real pages: what matching finds and joins, against the exact similarity of every two documents.

    python -m benchmarks.dedup_quality --json

On the snapshot dumps (or ``--wet``, a dump a file), under the default settings. The pairs are those of
``dedup.matching.match``, which the match job finds too. Beside them every pair of every bucket is compared, which is
quadratic: the documents that stay beyond those are what trying a bounded number of centres costs.
"""

from __future__ import annotations

import argparse
import glob
import sys

import numpy as np
import pyarrow as pa

from benchmarks.harness import SNAPSHOTS, finish, machine
from benchmarks.signatures import wet_texts
from dedup import star_rounds
from dedup.banding import Banding
from dedup.candidates import candidate_pairs, unique_pairs
from dedup.digests import digests, equal_values
from dedup.matching import match, memberships
from dedup.minhash import MinHashSettings, Signatures, signatures
from dedup.policies import Clusters, Policy, clusters
from dedup.shingles import ShingleSets, distinct_shingles, exact_jaccard_of_rows
from dedup.tallies import judge
from text.code_points import HAN, SPACE, code_points

THRESHOLD = 0.7
PASSES = (1, 2, 3, 6)
CHAINS = (1, 2, 3, 5, None)
KEPT = ("earliest", "latest", "longest")
MOST_LOST = 0.005  # of all documents


def main() -> int:
    """Runs the comparison; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", default=str(SNAPSHOTS / "*.warc.wet.gz"), help="glob of WET files, a dump each")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()
    dumps = [list(wet_texts([path])) for path in sorted(glob.glob(arguments.wet))]
    if not dumps:
        sys.exit(f"--wet {arguments.wet}: no such files")
    keys = np.concatenate(
        [(np.uint64(i) << np.uint64(52)) + np.arange(len(d), dtype=np.uint64) for i, d in enumerate(dumps)]
    )
    texts = [text for dump in dumps for text in dump]
    column = pa.array(texts, pa.large_string())
    signed = signatures(column, MinHashSettings())
    sets = ShingleSets(*distinct_shingles(column, MinHashSettings().ngram))

    def exact(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return exact_jaccard_of_rows(sets, np.searchsorted(keys, left), sets, np.searchsorted(keys, right))

    def row(case: str, metric: str, value: float, unit: str) -> dict[str, object]:
        return {"system": "gristmill", "case": case, "metric": metric, "value": value, "unit": unit}

    results = []
    matched = {f"{passes} passes": match(keys, signed, passes=passes) for passes in PASSES}
    results += [
        row(case, "pairs_compared", sum(each.candidates for each in found.passes), "pairs")
        for case, found in matched.items()
    ]
    cases = {case: found.pairs[:2] for case, found in matched.items()}
    met, cases["all pairs of all buckets"] = all_alike(keys, signed)
    results.append(row("all pairs of all buckets", "pairs_compared", met, "pairs"))
    kept = {}
    for case, (left, right) in cases.items():
        results.append(row(case, "pairs", len(left), "pairs"))
        for chain in CHAINS:
            kept[case, chain] = int(clusters(keys, left, right, Policy(max_chain=chain)).kept.sum())
            label = f"{case}, max_chain {chain or 'null'}"
            results.append(row(label, "documents_kept", kept[case, chain], "documents"))

    left, right = cases["3 passes"]
    for keep in KEPT:
        scores = signed.text_bytes.astype(np.int64) if keep == "longest" else None
        for chain in CHAINS:
            found = clusters(keys, left, right, Policy(keep, chain), scores)
            removed, stays = removed_for(found)
            jaccard = exact_jaccard_of_rows(sets, removed, sets, stays)
            worded = (signed.words[removed] > 0) | (signed.words[stays] > 0)  # no words are no shingles
            jaccard = np.where(worded, jaccard, 1)
            label = f"keep {keep}, max_chain {chain or 'null'}"
            results += [
                row(label, "documents_kept", int(found.kept.sum()), "documents"),
                row(label, "largest_cluster", int(found.cluster_size.max()), "documents"),
                row(label, "removed", len(removed), "documents"),
                row(label, "removed, J to the copy that stays < 0.7", int((jaccard < 0.7).sum()), "documents"),
                row(label, "removed, J to the copy that stays < 0.6", int((jaccard < 0.6).sum()), "documents"),
                row(label, "least J to the copy that stays", round(float(jaccard.min()), 3), "J"),
            ]
    results.append(row("components in rounds", "rounds", rounds_of(left, right), "rounds"))
    tally = judge(left, right, np.ones(len(left), np.uint8), Policy(), np.arange(len(dumps)))[2]
    results += [
        row(f"removed, {far} pairs from the copy that stays", "documents", n, "documents")
        for far, n in enumerate(tally.by_distance.tolist(), 1)
        if n
    ]
    ids = clusters(keys, left, right).cluster_id
    copies = copies_of(sets, 0.85)
    recall = float((ids[copies[0]] == ids[copies[1]]).mean())
    precision = float((exact(left, right) >= 0.6).mean())
    unverified = candidate_pairs(*buckets_of(keys, signed))
    before = float((exact(*unique_pairs(*unverified)) >= 0.6).mean())
    shares = han_shares(texts)
    mixed = len(np.intersect1d(ids[shares > 0.3], ids[shares < 0.05]))
    results += [
        row("pairs with J >= 0.85, exact", "pairs", len(copies[0]), "pairs"),
        row("of them in one cluster", "recall", round(recall, 5), "share"),
        row("accepted pairs with J >= 0.6", "precision", round(precision, 5), "share"),
        row("candidate pairs with J >= 0.6, unverified", "precision", round(before, 5), "share"),
        row("clusters that join Han and other scripts", "clusters", mixed, "clusters"),
    ]
    lost = kept["3 passes", None] - kept["all pairs of all buckets", None]
    report = {
        "name": "dedup_quality",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": int(signed.text_bytes.sum())},
        "results": results,
        "ratios": {},
        "checks": {
            "recall of pairs with J >= 0.85 is at least 0.95": recall >= 0.95,
            "precision at J >= 0.6 is at least 0.99": precision >= 0.99,
            "no page of more than 30 % Han characters shares a cluster with one of less than 5 %": mixed == 0,
            "copies lost to comparing fewer pairs are below 0.5 %": 0 <= lost < MOST_LOST * len(texts),
        },
    }
    return finish(report, arguments.json)


def removed_for(found: Clusters) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the documents that go, and of the ones that stay for them."""
    removed, kept = np.flatnonzero(~found.kept), np.flatnonzero(found.kept)
    kept = kept[np.argsort(found.cluster_id[kept])]
    return removed, kept[np.searchsorted(found.cluster_id[kept], found.cluster_id[removed])]


def rounds_of(left: np.ndarray, right: np.ndarray) -> int:
    """Rounds of large star and small star until no edge moves."""
    for rounds in range(1, star_rounds.MOST_ROUNDS + 1):
        ends, centres, large = star_rounds.large_star(*star_rounds.both_ways(left, right))
        right, left, small = star_rounds.small_star(ends, centres)
        if not large.any() and not small:
            return rounds
    raise AssertionError(f"edges still move after {star_rounds.MOST_ROUNDS} rounds")


def all_alike(keys: np.ndarray, signed: Signatures) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
    """How many pairs all buckets hold, and those that are alike by their signatures; quadratic in a bucket's size."""
    left, right = all_pairs(*buckets_of(keys, signed))
    cut = digests(signed.minima)
    values = cut.shape[1]
    equal = equal_values(cut, np.searchsorted(keys, left), cut, np.searchsorted(keys, right), values)
    alike = equal / values >= THRESHOLD
    return len(left), (left[alike], right[alike])


def buckets_of(keys: np.ndarray, signed: Signatures) -> tuple[np.ndarray, np.ndarray]:
    """The buckets of documents under the default bands."""
    return memberships(keys, signed.content, signed.normalised, signed.words, signed.minima, Banding())


def all_pairs(keys: np.ndarray, buckets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of every bucket, left < right; quadratic in the size of a bucket."""
    order = np.lexsort((keys, buckets))
    starts = np.flatnonzero(np.diff(buckets[order], prepend=~buckets[order][:1]))
    lefts, rights = [keys[:0]], [keys[:0]]
    seen = set()
    for members in np.split(keys[order], starts[1:]):
        members = np.unique(members)
        if len(members) < 2 or members.tobytes() in seen:
            continue
        seen.add(members.tobytes())
        left, right = np.triu_indices(len(members), 1)
        lefts.append(members[left])
        rights.append(members[right])
    return unique_pairs(np.concatenate(lefts), np.concatenate(rights))


def copies_of(sets: ShingleSets, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of every two documents whose exact Jaccard similarity is at least the threshold: brute force.

    By length, the sets that can be that alike to one (their sizes differ by no more than the threshold allows) are all
    compared with it.
    """
    sizes = np.diff(sets.offsets)
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    last = np.searchsorted(sizes[order], sizes[order] / threshold + 1e-9, side="right")
    first, second = [], []
    for i, stop in enumerate(last.tolist()):
        others = order[i + 1 : stop]
        jaccard = exact_jaccard_of_rows(sets, np.full(len(others), order[i]), sets, others)
        alike = others[jaccard >= threshold]
        first.append(np.full(len(alike), order[i]))
        second.append(alike)
    return np.concatenate(first), np.concatenate(second)


def han_shares(texts: list[str]) -> np.ndarray:
    """The share of Han characters among those that are no white space, text by text."""
    flags = code_points().flags
    shares = []
    for text in texts:
        points = flags[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
        shares.append(((points & HAN) != 0).sum() / max(1, ((points & SPACE) == 0).sum()))
    return np.array(shares)


if __name__ == "__main__":
    sys.exit(main())
