import pytest

from serving import processor
from serving.processor import has_amx, processor_name


@pytest.fixture
def described(tmp_path, monkeypatch):
    """Writes a cpuinfo; `cores` may be used."""

    def write(text, cores=2):
        monkeypatch.setattr(processor, "available_cores", lambda: cores)
        (tmp_path / "cpuinfo").write_text(text)
        return tmp_path / "cpuinfo"

    return write


EPYC = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512_bf16\n"


def test_the_name_says_which_processor_and_how_many_cores(described):
    name = processor_name(described(EPYC + "\n" + EPYC.replace("17", "18")))
    assert name.startswith("AMD EPYC (family 25, model 17, features ")
    assert name.endswith("), 2 cores")
    assert processor_name(described(EPYC, cores=1)).endswith("), 1 core")


def test_hidden_instructions_are_another_processor(described):
    """A virtual machine that hides bfloat16 must not use what another one of the same name has measured."""
    assert processor_name(described(EPYC)) != processor_name(described(EPYC.replace("avx512_bf16", "avx2")))


def test_a_processor_of_arm_has_a_name_too(described, monkeypatch):
    monkeypatch.setattr(processor.platform, "machine", lambda: "aarch64")
    text = "processor\t: 0\nFeatures\t: fp asimd bf16\nCPU part\t: 0xd4f\n"
    assert processor_name(described(text)).startswith("aarch64 (features ")
    assert processor_name(described(text)) != processor_name(described(text.replace(" bf16", "")))


def test_a_machine_without_cpuinfo_has_a_name_too(tmp_path):
    assert processor_name(tmp_path / "none")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("amx_bf16 avx512_bf16 amx_tile", True), ("avx512_bf16", False), ("amx_bf16x", False)],
)
def test_matrix_units_are_a_whole_word(described, flags, expected):
    assert has_amx(described(EPYC + f"flags\t\t: fpu {flags} sse2\n")) is expected


def test_an_unknown_processor_has_no_matrix_units(tmp_path):
    assert not has_amx(tmp_path / "none")
