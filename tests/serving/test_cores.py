import os

import pytest

from serving.cores import available_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))


def cores(folder, of_this_process, files):
    """`files`: the contents of each file below /sys/fs/cgroup."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "self").write_text(of_this_process)
    return available_cores(folder, folder / "self")


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("5000 100000", 1),
        ("max 100000", 8),
        ("3200000 100000", 8),
    ],
)
def test_a_quota_of_version_2(tmp_path, quota, expected):
    """Also in a container, where the cgroup is the root of the mount."""
    assert cores(tmp_path, "0::/\n", {"cpu.max": quota}) == expected


def test_the_smallest_quota_above_counts(tmp_path):
    files = {
        "kubepods/cpu.max": "200000 100000",
        "kubepods/pod/cpu.max": "max 100000",
        "cpu.max": "max 100000",
    }
    assert cores(tmp_path, "0::/kubepods/pod\n", files) == 2


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize(("quota", "expected"), [("100000", 1), ("250000", 3), ("-1", 8)])
def test_a_quota_of_version_1(tmp_path, mount, quota, expected):
    files = {f"{mount}/docker/abc/cpu.cfs_quota_us": quota, f"{mount}/docker/abc/cpu.cfs_period_us": "100000"}
    lines = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n"
    assert cores(tmp_path, lines, files) == expected


def test_a_containers_own_cgroup_is_found_under_the_hosts_path(tmp_path):
    files = {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}
    assert cores(tmp_path, "4:cpu:/docker/abc\n", files) == 2


def test_without_cgroups_the_affinity_counts(tmp_path):
    assert available_cores(tmp_path, tmp_path / "nothing") == 8
