"""Deduplication decided in plain Python, document by document: what the kernels must equal."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
from hypothesis import strategies as st

from dedup.policies import POLICIES, SCORED, Policy

OUTSIDE = "outside"

POLICY = st.builds(
    Policy,
    keep=st.sampled_from(POLICIES),
    max_chain=st.sampled_from([None, 1, 2, 3, 5]),
    min_cluster_size=st.sampled_from([2, 3, 4]),
)
EVERY_POLICY = [
    Policy(*each) for each in itertools.product(POLICIES, [None, 1, 2, 3, 5], [2, 3, 5])
]  # for real pairs, where one run is enough


def preferred(keys, keep, scores):
    """Keys in the order in which a policy likes to keep them."""
    if keep == "latest":
        return sorted(keys, reverse=True)
    if keep in SCORED:
        return sorted(keys, key=lambda key: (math.inf if math.isnan(scores[key]) else -scores[key], key))
    return sorted(keys)


def neighbours_of(pairs):
    found = defaultdict(set)
    for a, b in pairs:
        if a != b:
            found[a].add(b)
            found[b].add(a)
    return found


def components_of(keys, neighbours):
    """Every key's component, as one frozenset for all its members."""
    found: dict[int, frozenset[int]] = {}
    for start in keys:
        if start not in found:
            members, queue = set(), [start]
            while queue:
                key = queue.pop()
                if key not in members:
                    members.add(key)
                    queue += neighbours[key]
            found.update(dict.fromkeys(members, frozenset(members)))
    return found


def within(start, neighbours, most):
    """The keys at most so many pairs away from one, with how many."""
    away = {start: 0}
    for step in range(1, most + 1):
        for key in [key for key, distance in away.items() if distance == step - 1]:
            for other in neighbours[key]:
                away.setdefault(other, step)
    return away


def decided(keys, pairs, policy, scores=None, outside=frozenset()):
    """``{key: (cluster, size, kept)}`` of documents ``keys``, ``pairs`` of keys, ``scores`` by key, keys outside."""
    neighbours = neighbours_of(pairs)
    order = preferred(keys, policy.keep, scores)
    place = {key: at for at, key in enumerate(order)}
    component = components_of(keys, neighbours)
    top = {}
    if policy.max_chain is None:
        for key in keys:
            members = component[key]
            top[key] = OUTSIDE if members & outside else min(members, key=place.__getitem__)
    elif policy.keep == "earliest":
        distance: dict[int, int] = {}
        for key in order:
            choices = [
                (distance[other] + 1, -1 if top[other] == OUTSIDE else place[top[other]], top[other])
                for other in neighbours[key]
                if other in top and distance[other] < policy.max_chain
            ]
            if key in outside:
                choices.append((1, -1, OUTSIDE))
            distance[key], _, top[key] = min(choices, default=(0, 0, key), key=lambda choice: choice[:2])
    else:
        around = {key: within(key, neighbours, policy.max_chain) for key in keys}
        beyond = {
            key: min((away + 1 for other, away in around[key].items() if other in outside), default=99) for key in keys
        }
        stay: list[int] = []
        for key in order:
            if beyond[key] > policy.max_chain and not any(key in around[other] for other in stay):
                stay.append(key)
        for key in keys:
            choices = [(around[other][key], place[other], other) for other in stay if key in around[other]]
            if beyond[key] <= policy.max_chain:
                choices.append((beyond[key], -1, OUTSIDE))
            top[key] = min(choices, key=lambda choice: choice[:2])[2]
    clusters = defaultdict(list)
    for key in keys:
        clusters[top[key] if top[key] != OUTSIDE else component[key]].append(key)
    found = {}
    for members in clusters.values():
        for key in members:
            small = len(members) < policy.min_cluster_size
            kept = top[key] != OUTSIDE and (small or top[key] == key)
            found[key] = (min(members), len(members), kept)
    return found


def by_distance(keys, pairs, found, outside=frozenset()):
    """Removed documents by the pairs between them and the copy that stays; ``found`` is what ``decided`` gave."""
    neighbours = neighbours_of(pairs)
    counts = defaultdict(int)
    for cluster in {cluster for cluster, _, _ in found.values()}:
        members = {key for key in keys if found[key][0] == cluster}
        gone = {key for key in members if not found[key][2]}
        stay = members - gone
        away = dict.fromkeys(stay, 0) if stay else dict.fromkeys(members & outside, 1)
        inside = {key: neighbours[key] & members for key in members}
        queue = list(away)
        for key in queue:
            for other in inside[key]:
                if other not in away:
                    away[other] = away[key] + 1
                    queue.append(other)
        for key in gone:
            counts[away[key]] += 1
    return dict(counts)


def removed(keys, pairs, policy, scores=None, outside=frozenset()):
    """How many documents go, when only ``keys`` and the pairs among them are there."""
    keys = set(keys)
    inside = [pair for pair in pairs if set(pair) <= keys]
    return sum(not kept for _, _, kept in decided(sorted(keys), inside, policy, scores, outside & keys).values())


def columns(pairs):
    """Pairs as two columns."""
    return tuple(np.array([pair[side] for pair in pairs], np.uint64) for side in (0, 1))
