import os

from serving import gpu


def test_nvidia_smis_lines_are_read():
    told = "0, NVIDIA A10G, 8.6, 590.48.01, 23028, 22500\n1, NVIDIA H100, 9.0, 590.48.01, 81559, 1024\n"
    first, second = gpu.parse(told)
    assert first == gpu.Gpu(0, "NVIDIA A10G", "8.6", "590.48.01", 23028, 22500)
    assert (second.compute_capability, second.memory_free) == ("9.0", 1024)


def test_a_gpu_that_tells_nothing_and_a_message_are_no_gpus():
    assert gpu.parse("0, Tesla, [N/A], 470, [N/A], [N/A]\nNo devices were found\n") == []


def test_a_gpu_with_unified_memory_has_the_machines():
    """nvidia-smi tells no memory of its own: such a GPU was once taken for none."""
    [found] = gpu.parse("0, NVIDIA GB10, 12.1, 580.95.05, [N/A], [N/A]\n")
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    assert (found.name, found.compute_capability, found.memory_total) == ("NVIDIA GB10", "12.1", machine)
    assert 0 < found.memory_free <= machine


def test_a_machine_without_a_driver_has_none(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert gpu.query_gpus() == []
