"""The domain of a document by lists of hosts: the list with the longest suffix of its host, at a dot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from filters.mixture.targets import OTHER

_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@?#]*@)?(?P<host>[^/:?#]+)"


class HostDomains:
    """Lists of hosts by the name of a domain; a listed host stands for its subdomains too."""

    def __init__(self, lists: Mapping[str, Iterable[str]]):
        """Takes the lists.

        Raises:
            ValueError: a host in two lists, something that is no host, or a list without any.
        """
        self.names = [*lists, OTHER]
        self._domain: dict[str, int] = {}
        for number, (name, hosts) in enumerate(lists.items()):
            listed = [host.strip().lower().removeprefix("*.").strip(".") for host in hosts]
            if not any(listed):
                raise ValueError(f"the list {name!r} has no hosts")
            for host in filter(None, listed):
                if "/" in host or " " in host or ":" in host:
                    raise ValueError(f"{host!r} in the list {name!r} is no host: give a name such as example.org")
                if self._domain.setdefault(host, number) != number:
                    raise ValueError(f"{host!r} is in two lists, {self.names[self._domain[host]]!r} and {name!r}")

    def of(self, urls: pa.Array) -> pa.DictionaryArray:
        """The domain of each address [n]; ``other`` where no list has its host, or there is no address."""
        hosts = pc.struct_field(pc.extract_regex(urls, _HOST), "host").dictionary_encode()
        numbers = pa.array([self._number(host) for host in hosts.dictionary.to_pylist()], pa.int32())
        found = pc.fill_null(numbers.take(hosts.indices), len(self.names) - 1)
        return pa.DictionaryArray.from_arrays(found, self.names)

    def _number(self, host: str) -> int:
        host = host.lower().rstrip(".")
        while host:
            if host in self._domain:
                return self._domain[host]
            host = host.partition(".")[2]
        return len(self.names) - 1
