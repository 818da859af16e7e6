from catalog.document import Contents


def test_only_files_that_are_named_as_textures_are_ever_removed():
    """The folder or bucket may hold somebody else's files."""
    ours, others = {f"{'0a' * 32}.png"}, {"photo.png", f"{'0a' * 32}.png.bak", "notes.txt"}
    assert Contents({}).unused(ours | others) == ours
