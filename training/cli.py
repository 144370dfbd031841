"""The trainer's verbs: ``gristmill train``, ``gristmill evaluate``, ``gristmill generate``, ``gristmill export``."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from training.config import describe, training_config, with_overrides
from training.console import Display, errors, escaped, first_rank, out
from training.errors import ConfigError, TrainingError

app = typer.Typer(no_args_is_help=True, help="Train on token shards, and look at what was learned.")


@app.command(
    epilog="Example: gristmill train configs/training/demo.yaml --set data.shards=out/shards --set output=runs/a"
)
def train(
    config: Annotated[Path, typer.Argument(help="the run as YAML; see configs/training")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="override a key: KEY=VALUE, VALUE in YAML")] = None,
    allow_change: Annotated[
        list[str] | None, typer.Option(help="key that may differ from the checkpoint the run resumes from")
    ] = None,
    keys: Annotated[bool, typer.Option("--keys", help="print every key with its default and help, and stop")] = False,
) -> None:
    """Train a model on token shards; a run that was interrupted goes on where it stopped.

    The run's folder gets config.yaml, metrics.jsonl and checkpoints/. SIGTERM saves and exits 0.
    """
    with _plain_errors():
        if keys:
            for key, default, text in describe():
                out.print(f"[bold]{key}[/] [dim]({default})[/] {text}", highlight=False, soft_wrap=True)
            return
        content = _from_folder(read_yaml(config), config.resolve().parent)
        run = training_config(with_overrides(content, _overrides(set_ or [])))
        from training.trainer import train as run_training  # torch takes seconds to import: not for --help

        with Display() as watch:
            run_training(run, watch, allow_change or [])


@app.command(epilog="Example: gristmill evaluate runs/a out/shards --json")
def evaluate(
    checkpoint: Annotated[
        Path, typer.Argument(help="a run's folder (its newest checkpoint) or checkpoints/step-NNNNNNN")
    ],
    shards: Annotated[list[Path], typer.Argument(help="folder with shards.json, or several")],
    split: Annotated[str, typer.Option(help="split to score")] = "validation",
    tokens: Annotated[int | None, typer.Option(help="most tokens to score; all by default")] = None,
    batch: Annotated[int, typer.Option(help="samples at a time")] = 8,
    context: Annotated[int | None, typer.Option(help="tokens in a sample; as trained by default")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Print the loss and the bits per byte of a checkpoint on held-out shards, by folder and by source."""
    with _plain_errors():
        from training.evaluate import evaluate as run_evaluation

        score = run_evaluation(
            checkpoint, *shards, split=split, most_tokens=tokens, batch=batch, context=context, device=device
        )
        if as_json:
            print(json.dumps(score.to_mapping()))
            return
        sources = sorted(score.sources.items()) if len(score.sources) > 1 else []
        rows = [("all", score), *score.sets.items(), *((f"source {name}", part) for name, part in sources)]
        for name, part in rows:
            bits = (
                f"{part.bits_per_byte:.4f} bits/byte" if part.bits_per_byte else "bits/byte need the tokenizer's folder"
            )
            out.print(f"{name}: loss {part.loss:.4f} nats/token, {bits}, {part.tokens:,} tokens", highlight=False)


@app.command(epilog='Example: gristmill generate runs/a --prompt "The list is sorted" --tokens 100')
def generate(
    checkpoint: Annotated[
        Path, typer.Argument(help="a run's folder (its newest checkpoint) or checkpoints/step-NNNNNNN")
    ],
    prompt: Annotated[str, typer.Option(help="text to continue")] = "",
    tokens: Annotated[int, typer.Option(help="most tokens to write")] = 200,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token")] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="draw from this many likeliest tokens")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="draw from the likeliest tokens of this total probability")
    ] = 0.95,
    seed: Annotated[int, typer.Option(help="the same seed gives the same text")] = 0,
    tokenizer: Annotated[Path | None, typer.Option(help="tokenizer's folder; the run's own by default")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Continue a prompt with a checkpoint's model."""
    with _plain_errors():
        from tokenizers import Tokenizer

        from training.evaluate import load_model, resolve
        from training.generate import generate as sample
        from training.generate import whole_characters

        folder = resolve(checkpoint)
        path = (tokenizer or folder.parent.parent / "tokenizer") / "tokenizer.json"
        if not path.is_file():
            raise TrainingError(f"there is no {path}: name the tokenizer's folder with --tokenizer")
        model, facts = load_model(folder, device)
        try:
            codec = Tokenizer.from_file(str(path))
        except Exception as error:  # the library has no narrower class
            raise TrainingError(f"{path} cannot be read as a tokenizer ({error})") from None
        codec.encode_special_tokens = True  # a prompt is text: "<|end|>" in it is not the end
        begin = [facts["begin_token"]] if facts.get("begin_token") is not None else []
        ids = begin + codec.encode(prompt, add_special_tokens=False).ids
        if not ids and facts.get("end_token") is not None:
            ids = [facts["end_token"]]  # what a document follows
        drawn = sample(
            model, ids, tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed,
            end_token=facts.get("end_token"),
        )  # fmt: skip
        print(prompt, end="", flush=True)
        for text in whole_characters(drawn, codec.decode):
            print(text, end="", flush=True)
        print()


@app.command(epilog="Example: gristmill export runs/a published/")
def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="a run's folder (its newest checkpoint) or checkpoints/step-NNNNNNN")
    ],
    folder: Annotated[Path, typer.Argument(help="where config.json, the weights and the tokenizer go")],
    dtype: Annotated[str, typer.Option(help="type of the weights: float32, as trained, or bfloat16")] = "float32",
) -> None:
    """Write a checkpoint in Hugging Face's LLaMA layout."""
    with _plain_errors():
        from training.evaluate import load_model, resolve
        from training.huggingface import save_llama
        from training.token_bytes import copy_tokenizer

        if dtype not in ("float32", "bfloat16"):
            raise TrainingError(f"--dtype {dtype} is none of float32, bfloat16")
        found = resolve(checkpoint)
        model, facts = load_model(found, "cpu", dtype)
        save_llama(model, folder, model.head.weight.dtype, facts.get("begin_token"), facts.get("end_token"))
        copy_tokenizer(found.parent.parent / "tokenizer", folder)
        out.print(f"wrote {folder}", highlight=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """Parses a YAML file of keys and values; raises ConfigError naming the file and the line."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values")
    return content


def _from_folder(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Takes relative paths of a file from the folder it lies in; those of ``--set`` stay those of the shell."""

    def absolute(value: Any) -> Any:
        if isinstance(value, str):
            return str(folder / value)
        if isinstance(value, list):
            return [absolute(item) for item in value]
        if isinstance(value, dict) and "path" in value:
            return value | {"path": absolute(value["path"])}
        return value

    content = dict(content)
    if "output" in content:
        content["output"] = absolute(content["output"])
    for key in ("data", "validation"):
        if isinstance(content.get(key), dict) and "shards" in content[key]:
            content[key] = content[key] | {"shards": absolute(content[key]["shards"])}
    return content


def _overrides(assignments: list[str]) -> dict[str, Any]:
    result = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected KEY=VALUE")
        result[key] = yaml.safe_load(value)
    return result


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors meant for a person as one line: exit code 2 for the configuration, 1 for the rest."""
    try:
        yield
    except TrainingError as error:
        if error.rank is None and not first_rank():  # rank 0 has the same to say
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
        errors.print(f"[bold red]error:[/] {escaped(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
    except OSError as error:
        full = "; free some space, then start again: it goes on from the newest checkpoint"
        hint = full if error.errno == errno.ENOSPC else ""
        errors.print(f"[bold red]error:[/] {escaped(str(error))}{hint}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except ImportError as error:
        errors.print(
            f"[bold red]error:[/] {error}; the trainer needs: pip install 'gristmill\\[train]'", highlight=False
        )
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
