from benchmarks.tiling import MEGAPIXELS, Result, goals


def test_goals_are_of_the_sizes_and_of_monai() -> None:
    by_size = [Result("ours", 1000, round(1000 * size), size * 0.5, 10.0 + size) for size in MEGAPIXELS]
    by_size[1] = Result("ours", 1000, 12_000, 12 * 0.6, 0.0)
    square = Result("ours", 1000, 1000, 1.0, 10.0)
    found = [*by_size, square]
    assert [(goal.seen, goal.holds) for goal in goals(found)] == [("1.20", False), ("96 MB", False)]
    found.append(Result("monai", 1000, 1000, 2.0, 100.0))
    assert [(goal.seen, goal.holds) for goal in goals(found)[2:]] == [("0.50", True), ("0.10", True)]
