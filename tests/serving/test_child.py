"""A process of the stack, on real ones."""

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
