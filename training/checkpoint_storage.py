"""torch.distributed.checkpoint for pieces: every rank writes its boxes of the tensors, any layout reads any other's.

Reading unpickles nothing but tensors (the library loads them with ``weights_only``) and, for the index of the tensors,
the short list of the library's own metadata classes below.
"""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.default_planner import create_default_global_save_plan
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    StorageMeta,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import (
    LoadPlan,
    LoadPlanner,
    ReadItem,
    SavePlan,
    SavePlanner,
    TensorWriteData,
    WriteItem,
    WriteItemType,
)
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list

from training.pieces import Piece, State, pieces_of


def write(folder: Path, state: State, group: dist.ProcessGroup | None) -> None:
    """Writes this rank's pieces to ``folder``; all ranks of the group do so together, None is a process alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "saving without a process group": on purpose
        dcp.save({}, storage_writer=dcp.FileSystemWriter(folder), planner=_Save(state), process_group=group,
                 no_dist=group is None)  # fmt: skip


def read(folder: Path, state: State) -> None:
    """Fills the pieces in place; every rank by itself. Raises ValueError for names or shapes that are not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load({}, storage_reader=_SafeReader(folder), planner=_Load(state), no_dist=True)


def names(folder: Path) -> set[str]:
    """Names of the tensors in a checkpoint."""
    return set(_SafeReader(folder).read_metadata().state_dict_metadata)


class _Save(SavePlanner):
    """One write item a piece."""

    def __init__(self, state: State):
        self.boxes = {
            MetadataIndex(name, piece.offset): piece for name, value in state.items() for piece in pieces_of(value)
        }

    def set_up_planner(self, state_dict: Any, storage_meta: Any = None, is_coordinator: bool = False) -> None:
        """Nothing: the pieces came with the constructor."""

    def create_local_plan(self) -> SavePlan:
        """What this rank writes."""
        return SavePlan([
            WriteItem(index, WriteItemType.SHARD, tensor_data=TensorWriteData(
                _chunk(piece), TensorProperties.create_from_tensor(piece.data), piece.shape))
            for index, piece in self.boxes.items()
        ])  # fmt: skip

    def create_global_plan(self, all_plans: list[SavePlan]) -> tuple[list[SavePlan], Metadata]:
        """What all ranks write, and the index of it."""
        return create_default_global_save_plan(all_plans)

    def finish_plan(self, new_plan: SavePlan) -> SavePlan:
        """The plan as it is."""
        return new_plan

    def resolve_data(self, write_item: WriteItem) -> Tensor | io.BytesIO:
        """The tensor of an item."""
        return self.boxes[MetadataIndex(write_item.index.fqn, write_item.index.offset)].data


class _Load(LoadPlanner):
    """Reads for each piece what the saved boxes hold of it."""

    def __init__(self, state: State):
        self.state = {name: pieces_of(value) for name, value in state.items()}

    def set_up_planner(self, state_dict: Any, metadata: Metadata | None = None, is_coordinator: bool = False) -> None:
        """Takes note of what was saved."""
        self.metadata = metadata

    def create_local_plan(self) -> LoadPlan:
        """Where the parts of each piece lie."""
        assert self.metadata is not None
        items: list[ReadItem] = []
        for name, pieces in self.state.items():
            saved = self.metadata.state_dict_metadata.get(name)
            if not isinstance(saved, TensorStorageMetadata):
                raise ValueError(f"it holds no tensor {name}")
            for piece in pieces:
                if saved.size != piece.shape:
                    raise ValueError(f"{name} has shape {list(saved.size)} there and {list(piece.shape)} here")
            items += create_read_items_for_chunk_list(name, saved, [_chunk(piece) for piece in pieces])
        return LoadPlan(items)

    def create_global_plan(self, global_plan: list[LoadPlan]) -> list[LoadPlan]:
        """The plans as they are."""
        return global_plan

    def finish_plan(self, central_plan: LoadPlan) -> LoadPlan:
        """The plan as it is."""
        return central_plan

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        """Never called: no item but tensors is planned."""
        raise ValueError(f"{read_item.dest_index.fqn} is not a tensor")

    def resolve_tensor(self, read_item: ReadItem) -> Tensor:
        """The part of a piece that an item fills."""
        target = read_item.dest_index
        piece = next(p for p in self.state[target.fqn] if torch.Size(p.offset) == target.offset)
        box = tuple(slice(o, o + n) for o, n in zip(read_item.dest_offsets, read_item.lengths, strict=True))
        return piece.data[box]

    def commit_tensor(self, read_item: ReadItem, tensor: Tensor) -> None:
        """Nothing: the tensor is a view of the piece."""


class _SafeReader(dcp.FileSystemReader):
    """DCP's reader, but its index is unpickled with only the classes it consists of; tensors are weights_only there."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Reads ``.metadata``; raises pickle.UnpicklingError at any other class."""
        with open(Path(self.path) / ".metadata", "rb") as file:
            metadata = _MetadataUnpickler(file).load()
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _MetadataUnpickler(pickle.Unpickler):
    _ALLOWED: ClassVar = {
        "torch": {"Size", "float32", "bfloat16", "float16", "uint8", "int64"},
        "torch.serialization": {"_get_layout"},
        "torch.distributed.checkpoint.metadata": {
            "Metadata", "MetadataIndex", "TensorStorageMetadata", "TensorProperties", "ChunkStorageMetadata",
            "StorageMeta", "_MEM_FORMAT_ENCODING",
        },
        "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
        "pathlib": {"Path", "PosixPath", "WindowsPath", "PurePosixPath"},
        "collections": {"OrderedDict"},
    }  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if name in self._ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"the index names {module}.{name}, which no checkpoint of this trainer holds")


def _chunk(piece: Piece) -> ChunkStorageMetadata:
    return ChunkStorageMetadata(torch.Size(piece.offset), piece.data.shape)
