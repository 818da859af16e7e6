"""A process of the stack, on real ones."""

import stat

from serving.child import Child, earlier


async def run(child, text):
    await child.start(["/bin/echo", text], {})
    await child.wait()


async def test_the_log_of_a_process_that_crashed_is_kept_until_the_next_but_one(tmp_path):
    """A Triton that crashed is started again in a second, which erased the reason."""
    log = tmp_path / "logs" / "triton.log"
    child = Child("Triton", log)
    for text in ("first", "crashed", "again"):
        await run(child, text)
    assert earlier(log).read_text() == "crashed\n"
    assert child.log_text() == "again\n", "the supervisor reads there what is ready now"
    assert sorted(it.name for it in log.parent.iterdir()) == ["triton.log", "triton.log.1"]


async def test_what_it_writes_is_for_this_user_alone(tmp_path):
    child = Child("Triton", tmp_path / "triton.log", umask=0o077)
    await child.start(["/bin/sh", "-c", f"echo picture > {tmp_path}/written"], {})
    assert await child.wait() == 0
    assert stat.S_IMODE((tmp_path / "written").stat().st_mode) == 0o600
