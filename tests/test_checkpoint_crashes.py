"""Power cuts at every moment, kills, zombies in every order of steps, and all of it at random against a model."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numbered_checkpoints import content, lineage_on, number_in
from simulated_disk import LyingDisk, SimulatedDisk

from streamlearn.errors import FencedError, StateError
from streamlearn.runtime.checkpoints import CheckpointId, Lineage
from streamlearn.runtime.disk import Disk

# -- power cuts: every moment, everything that may be left


P = TypeVar("P")


class PowerCut(BaseException):
    """The machine is off."""


@dataclass
class Progress:
    """How far a scenario got: the newest content whose writing began, and the newest whose writing ended."""

    begun: int = 0
    safe: int = 0


def write(lineage: Lineage, number: int, progress: Progress) -> None:
    progress.begun = number
    lineage.write(content(number))
    progress.safe = number


def a_life(disk: Disk, progress: Progress) -> None:
    """Two owners write and prune."""
    lineage = lineage_on(disk)
    lineage.begin()
    for number in range(1, 5):
        write(lineage, number, progress)
        lineage.prune()
    lineage = lineage_on(disk)
    lineage.begin()
    assert number_in(lineage.newest()) == 4
    for number in (5, 6):
        write(lineage, number, progress)
        lineage.prune(named={CheckpointId(1, 4)})


def moments(
    scenario: Callable[[Disk, P], None], begin: Callable[[], P], make: Callable[[], SimulatedDisk] = SimulatedDisk
) -> Iterator[tuple[SimulatedDisk, P]]:
    """The disk just before each operation of a scenario, and once after the last."""
    for moment in itertools.count():
        disk, progress, left = make(), begin(), itertools.count(moment, -1)

        def cut(operation: str, left: Iterator[int] = left) -> None:
            if next(left) <= 0:
                raise PowerCut

        disk.before = cut
        try:
            scenario(disk, progress)
        except PowerCut:
            yield disk, progress
        else:
            yield disk, progress
            return


def recover(files: dict[Path, bytes], allowed: set[int]) -> None:
    """A new owner restores one of the allowed contents, sees no damage, and can go on."""
    disk = SimulatedDisk(files)
    lineage = lineage_on(disk)
    lineage.begin()
    number = number_in(lineage.newest())
    assert number in allowed
    assert lineage.skipped == []
    lineage.write(content(number + 100))
    lineage.prune()
    again = lineage_on(SimulatedDisk(disk.files()))
    assert number_in(again.newest()) == number + 100
    assert not [path for path in disk.entries if path.suffix == ".tmp"]


def cut_power_everywhere(make: Callable[[], SimulatedDisk] = SimulatedDisk) -> tuple[int, int]:
    """Recover after a power cut at every moment of a life; how many moments, and how many different remains."""
    tried: set[tuple[frozenset[tuple[Path, bytes]], int, int]] = set()
    count = 0
    for disk, progress in moments(a_life, Progress, make):
        count += 1
        for files in disk.after_power_cut():
            key = (frozenset(files.items()), progress.begun, progress.safe)
            if key not in tried:
                tried.add(key)
                recover(files, {progress.begun, progress.safe})
    return count, len(tried)


def test_a_power_cut_at_any_moment_leaves_the_previous_or_the_new_checkpoint() -> None:
    count, remains = cut_power_everywhere()
    assert count > 60
    assert remains > 300


@pytest.mark.parametrize("lies", ["sync", "sync_directory"])
def test_a_disk_that_lies_about_syncing_is_found_out(lies: str) -> None:
    """So the enumeration above does notice a store that forgets to sync."""
    with pytest.raises((AssertionError, StateError)):
        cut_power_everywhere(lambda: LyingDisk(lies))


def test_a_power_cut_while_recovering_loses_nothing() -> None:
    def recovery(disk: Disk, progress: Progress) -> None:
        lineage = lineage_on(disk)
        lineage.begin()
        progress.safe = progress.begun = number_in(lineage.newest())
        write(lineage, progress.safe + 1, progress)
        lineage.prune()

    first = {}
    for disk, progress in moments(a_life, Progress):
        for files in disk.after_power_cut(every_subset=False):
            first[frozenset(files.items())] = progress
    for left, progress in list(first.items())[::9]:
        for disk, second in moments(recovery, Progress, lambda left=left: SimulatedDisk(dict(left))):
            for files in disk.after_power_cut(every_subset=False):
                recover(files, {second.begun, second.safe} if second.begun else {progress.begun, progress.safe})


@dataclass
class Commits:
    """What another store, such as the offsets in Kafka, says was committed: the last, and all that ever were."""

    last: CheckpointId | None = None
    numbers: set[int] = field(default_factory=set)


def test_a_checkpoint_that_was_not_committed_is_never_restored() -> None:
    """Also not in place of a committed one that is damaged."""

    def life(disk: Disk, commits: Commits) -> None:
        lineage = lineage_on(disk, keep=3)
        lineage.begin()
        for number, is_committed in enumerate("ccpcppcc", start=1):
            id = lineage.write(content(number)).id
            if is_committed == "c":
                commits.last = id
                commits.numbers.add(number)
                lineage.prune(named={id})
            elif number in (3, 6):  # the commit failed, and somebody else takes over
                assert commits.last is not None
                lineage = lineage_on(disk, keep=3)
                lineage.begin()
                assert number_in(lineage.newest(committed=commits.last)) in commits.numbers
                lineage.discard_after(commits.last)

    for disk, commits in moments(life, Commits):
        if commits.last is None:
            continue
        for files in disk.after_power_cut(every_subset=False):
            lineage = lineage_on(SimulatedDisk(files))
            assert number_in(lineage.newest(committed=commits.last)) == max(commits.numbers)
            if len(commits.numbers) > 1:
                path = lineage.directory / commits.last.file_name
                lineage = lineage_on(SimulatedDisk(files | {path: files[path][:-1]}))
                assert number_in(lineage.newest(committed=commits.last)) == sorted(commits.numbers)[-2]


# -- zombies: an old owner that goes on, in every order of steps


class Turns:
    """Lets threads do their operations on a disk in a given order."""

    def __init__(self, order: str) -> None:
        self.order = list(order)
        self.running = {"a", "b"}
        self.changed = threading.Condition()

    def wait(self, name: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self._next() == name, timeout=60)
            if self.order:
                self.order.pop(0)
            self.changed.notify_all()

    def end(self, name: str) -> None:
        with self.changed:
            self.running.discard(name)
            self.changed.notify_all()

    def _next(self) -> str:
        while self.order and self.order[0] not in self.running:
            self.order.pop(0)
        return self.order[0] if self.order else min(self.running)


def take_turns(disk: SimulatedDisk, order: str, a: Callable[[], None], b: Callable[[], None]) -> None:
    """Run two functions so that their operations on a disk come in the given order."""
    turns, failures = Turns(order), []
    names = {}

    def run(name: str, act: Callable[[], None]) -> None:
        names[threading.get_ident()] = name
        try:
            act()
        except BaseException as error:
            failures.append(error)
        finally:
            turns.end(name)

    disk.before = lambda operation: turns.wait(names[threading.get_ident()])
    threads = [threading.Thread(target=run, args=pair) for pair in (("a", a), ("b", b))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    disk.before = lambda operation: None
    assert failures == []


def orders(steps: int) -> Iterator[str]:
    """Orders in which two take turns, each at most twice, up to so many steps before a switch."""
    for i, j, k in itertools.product(range(steps), repeat=3):
        yield "a" * i + "b" * j + "a" * k + "b" * 50


def test_a_zombie_never_gets_before_what_its_successor_restored() -> None:
    outcomes = set()

    def try_order(order: str) -> None:
        disk = SimulatedDisk()
        zombie = lineage_on(disk)
        zombie.begin()
        zombie.write(content(1))
        wrote, restored = [], []

        def write_two() -> None:
            try:
                zombie.write(content(2))
                wrote.append(True)
                zombie.prune()
            except FencedError:
                wrote.append(False)

        def succeed() -> None:
            successor = lineage_on(disk)
            successor.begin()
            restored.append(number_in(successor.newest()))

        take_turns(disk, order, write_two, succeed)
        assert number_in(lineage_on(disk).newest()) == restored[0]
        assert restored[0] == 2 or not any(wrote)
        assert not any(path.suffix == ".tmp" for path in disk.entries)
        with pytest.raises(FencedError, match="taken over by worker '0', process"):
            zombie.write(content(3))
        assert number_in(lineage_on(disk).newest()) == restored[0]
        outcomes.add((restored[0], wrote[0]))

    for order in orders(11):
        try_order(order)
    assert outcomes >= {(2, True), (1, False)}


def test_of_two_that_begin_at_once_the_last_is_the_owner() -> None:
    def try_order(order: str) -> None:
        disk = SimulatedDisk()
        lineages = [lineage_on(disk) for _ in range(2)]
        restored: dict[int, int] = {}
        fenced = []

        def begin_and_write(
            which: int, lineages: list[Lineage] = lineages, restored: dict[int, int] = restored
        ) -> None:
            lineages[which].begin()
            restored[which] = number_in(lineages[which].newest())
            try:
                lineages[which].write(content(which + 1))
            except FencedError:
                fenced.append(which)

        take_turns(disk, order, lambda: begin_and_write(0), lambda: begin_and_write(1))
        epochs = [lineage.epoch for lineage in lineages]
        last = int(epochs[0] < epochs[1])  # type: ignore[operator]
        assert epochs[0] != epochs[1]
        assert last not in fenced
        others = [id for id in lineages[0].ids() if id.epoch < epochs[last]]  # type: ignore[operator]
        assert restored[last] == (2 - last if others else 0)
        assert number_in(lineage_on(disk).newest()) == last + 1

    for order in orders(9):
        try_order(order)


def test_a_claim_that_comes_late_is_made_again() -> None:
    """While one is about to claim epoch 1, two others begin 1 and 2, and the second removes the claim of the first."""
    disk = SimulatedDisk()

    def others(operation: str) -> None:
        if operation == "create":
            disk.before = lambda operation: None
            for lineage in (lineage_on(disk), lineage_on(disk)):
                lineage.begin()

    disk.before = others
    late = lineage_on(disk)
    late.begin()
    assert late.epoch == 3
    late.write(content(1))


# -- killed for real, at every operation

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from streamlearn.runtime.checkpoints import CheckpointStore
from streamlearn.runtime.disk import Disk

directory, moment = Path(sys.argv[1]), int(sys.argv[2])

class KillingDisk(Disk):
    left = moment

def counted(name):
    plain = getattr(Disk, name)
    def operation(self, *arguments, **options):
        KillingDisk.left -= 1
        if KillingDisk.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, *arguments, **options)
    return operation

for name in ("create", "write", "sync", "rename", "unlink", "sync_directory"):
    setattr(KillingDisk, name, counted(name))

lineage = CheckpointStore(directory, keep=1, disk=KillingDisk()).lineage("events-3")
lineage.begin()
for number in range(1, 4):
    print("begun", number, flush=True)
    lineage.write({"about": {"rows": number}, "weights": np.full(200, float(number)), "seen": np.arange(number % 7)})
    print("safe", number, flush=True)
    lineage.prune()
"""


def test_kill_9_at_any_operation(tmp_path: Path) -> None:
    for moment in itertools.count():
        directory = tmp_path / str(moment)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(directory), str(moment)], capture_output=True, text=True, timeout=60
        )
        said = dict(line.split() for line in done.stdout.splitlines())
        lineage = lineage_on(None, directory)
        lineage.begin()
        assert number_in(lineage.newest()) in {int(said.get("begun", 0)), int(said.get("safe", 0))}
        assert lineage.skipped == []
        assert not list(directory.rglob("*.tmp"))
        if done.returncode == 0:
            assert moment > 15
            return
        assert done.returncode == -signal.SIGKILL, done.stderr


# -- anything, in any order


class AnyLife(RuleBasedStateMachine):
    """Owners come and go, files are damaged and disks lose power; what is read is what a simple model says."""

    @initialize()
    def start(self) -> None:
        self.disk = SimulatedDisk()
        self.lineages: list[Lineage] = []
        self.contents: dict[CheckpointId, int] = {}  # of those that are there, damaged ones as 0
        self.number = 0

    @property
    def owner(self) -> Lineage:
        return self.lineages[-1]

    def path(self, id: CheckpointId) -> Path:
        return self.owner.directory / id.file_name

    @rule()
    def begin(self) -> None:
        lineage = lineage_on(self.disk)
        lineage.begin()
        assert not self.contents or lineage.epoch > max(self.contents).epoch  # type: ignore[operator]
        self.lineages.append(lineage)

    @precondition(lambda self: self.lineages)
    @rule()
    def write(self) -> None:
        self.number += 1
        id = self.owner.write(content(self.number)).id
        assert not self.contents or id > max(self.contents)
        self.contents[id] = self.number

    @precondition(lambda self: len(self.lineages) > 1)
    @rule(data=st.data())
    def zombie(self, data: st.DataObject) -> None:
        zombie = data.draw(st.sampled_from(self.lineages[:-1]))
        for act in (lambda: zombie.write(content(1)), zombie.prune):
            with pytest.raises(FencedError):
                act()

    @precondition(lambda self: any(self.contents.values()))
    @rule(data=st.data(), at=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
    def damage(self, data: st.DataObject, at: int, bit: int, cut: bool) -> None:
        id = data.draw(st.sampled_from([id for id, number in self.contents.items() if number]))
        inode = self.disk.inodes[self.disk.entries[self.path(id)]]
        file, before = inode.data, bytes(inode.data)
        if cut:
            del file[at % len(file) :]
        else:
            file[at % len(file)] ^= 1 << bit
        try:
            lineage_on(self.disk).read(id)
        except StateError:
            self.contents[id] = 0
            inode.safe = len(file)
            for lineage in self.lineages:
                lineage._sound.discard(id)  # an owner believes what it wrote; this one has looked
        else:  # spaces in JSON and the like
            file[:] = before

    @precondition(lambda self: self.lineages)
    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        named = data.draw(st.sets(st.sampled_from(sorted(self.contents)))) if self.contents else set()
        before = dict(sorted(self.contents.items(), reverse=True))
        removed = self.owner.prune(named=named)
        assert not set(removed) & {*named, *list(before)[:2]}
        sound = [id for id, number in before.items() if number]
        assert not sound or sound[0] not in removed
        if all(before.values()):
            assert removed == sorted(set(list(before)[2:]) - named)
        self.contents = {id: number for id, number in before.items() if id not in removed}

    @precondition(lambda self: self.lineages and self.contents)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        committed = data.draw(st.sampled_from(sorted(self.contents)))
        assert self.owner.discard_after(committed) == sorted(id for id in self.contents if id > committed)
        self.contents = {id: number for id, number in self.contents.items() if id <= committed}

    @precondition(lambda self: self.lineages)
    @rule(data=st.data())
    def power_cut(self, data: st.DataObject) -> None:
        remains = list(itertools.islice(self.disk.after_power_cut(every_subset=False), 50))
        before = set(self.contents)
        self.disk = SimulatedDisk(data.draw(st.sampled_from(remains)))
        there = set(lineage_on(self.disk).ids())
        assert there >= before  # removed ones may come back
        self.contents |= {id: number_in_file(self.disk, id) for id in there - before}
        self.lineages = []
        self.begin()

    @invariant()
    def the_newest_sound_one_is_read(self) -> None:
        lineage = lineage_on(self.disk)
        assert lineage.ids() == sorted(self.contents, reverse=True)
        sound = [id for id in sorted(self.contents, reverse=True) if self.contents[id]]
        if self.contents and not sound:
            with pytest.raises(StateError, match="all are damaged"):
                lineage.newest()
            return
        newest = lineage.newest()
        assert (newest and newest.id) == (sound[0] if sound else None)
        assert number_in(newest) == (self.contents[sound[0]] if sound else 0)
        assert [skipped.id for skipped in lineage.skipped] == [
            id for id in sorted(self.contents, reverse=True) if sound and id > sound[0]
        ]


def number_in_file(disk: Disk, id: CheckpointId) -> int:
    try:
        return number_in(lineage_on(disk).read(id))
    except StateError:
        return 0


AnyLife.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyLife = AnyLife.TestCase
