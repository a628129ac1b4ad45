"""The catalogue of data sets: its facts are those of the files, and it says what to do when a file is not there."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamlearn.datasets import data_directory, datasets, find, target_of, verify
from streamlearn.datasets.catalogue import _cache_folder
from streamlearn.errors import InputError, UnknownNameError

DRIFT = Path(os.environ.get("STREAMLEARN_DATA") or Path(__file__).parents[2] / "shared" / "data" / "drift")


@pytest.mark.parametrize("name", [data.name for data in datasets()])
def test_facts_are_those_of_the_file(name: str) -> None:
    data = next(data for data in datasets() if data.name == name)
    if verify(name, directory=DRIFT) == "missing":
        pytest.skip(f"{data.file_name} is not in {DRIFT}")
    assert verify(name, directory=DRIFT, strict=True) == "ok"
    table = pq.read_table(find(name, directory=DRIFT))
    nominal = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    assert table.num_rows == data.rows
    assert table.num_columns == data.features + 1
    assert table.schema.names[-1] == data.target
    assert len(nominal) == data.nominal + 1
    assert len(table[data.target].unique()) == data.classes


def test_catalogue_is_complete_and_says_everything() -> None:
    names = [data.name for data in datasets()]
    assert names == sorted(set(names))
    for data in datasets():
        assert all(getattr(data, field.name) != "" for field in dataclasses.fields(data) if field.name != "sha256")
        assert len(data.sha256) in (0, 64)
        assert len(data.columns) == data.features
        assert set(data.nominal_fields) <= set(data.columns)
        assert "\n" not in data.description
    if DRIFT.is_dir():
        assert {path.stem for path in DRIFT.glob("*.parquet")} <= set(names)


def test_electricity_is_always_there(tmp_path: Path) -> None:
    assert verify("electricity", directory=tmp_path) == "ok"
    assert pq.read_metadata(find("electricity", directory=tmp_path)).num_rows == 45_312


def test_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    assert verify("airlines", directory=tmp_path) == "missing"
    with pytest.raises(InputError) as caught:
        find("airlines", directory=tmp_path)
    for part in ("airlines.parquet", str(tmp_path), "samlb", "STREAMLEARN_DATA", "streamlearn data add airlines FILE"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match="there is no file"):
        verify("airlines", directory=tmp_path, strict=True)


def test_damaged_file_names_both_checksums(tmp_path: Path) -> None:
    shutil.copy(find("electricity"), tmp_path / "chess.parquet")
    chess = next(data for data in datasets() if data.name == "chess")
    electricity = next(data for data in datasets() if data.name == "electricity")
    assert verify("chess", directory=tmp_path) == "damaged"
    with pytest.raises(InputError) as caught:
        verify("chess", directory=tmp_path, strict=True)
    assert chess.sha256 in str(caught.value)
    assert electricity.sha256 in str(caught.value)


def test_directory_comes_from_argument_then_environment_then_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMLEARN_DATA", str(tmp_path / "named"))
    assert data_directory(tmp_path / "given") == tmp_path / "given"
    assert data_directory() == tmp_path / "named"
    monkeypatch.delenv("STREAMLEARN_DATA")
    assert data_directory().parts[-2:] == ("streamlearn", "data")


def test_cache_folder_of_each_system(tmp_path: Path) -> None:
    home = Path.home()
    assert _cache_folder("linux", {}) == home / ".cache"
    assert _cache_folder("linux", {"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path
    assert _cache_folder("darwin", {}) == home / "Library" / "Caches"
    assert _cache_folder("win32", {"LOCALAPPDATA": str(tmp_path)}) == tmp_path
    assert _cache_folder("win32", {}) == home / "AppData" / "Local"


def test_unknown_name_suggests_near_ones() -> None:
    for use in (find, verify):
        with pytest.raises(UnknownNameError, match="did you mean electricity"):
            use("electrcity")


def test_paths_are_returned_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("rides/today.csv") == Path("rides/today.csv")
    assert find("today.csv") == Path("today.csv")
    assert find("~/today.csv") == Path.home() / "today.csv"
    assert find(tmp_path / "electricity") == tmp_path / "electricity"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rides").write_text("a\n")
    assert find("rides") == Path("rides")


def test_target_of_a_name_and_of_a_path() -> None:
    assert target_of("covertype") == "target"
    assert target_of("covertype.parquet") is None
