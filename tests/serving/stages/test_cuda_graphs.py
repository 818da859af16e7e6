"""Which memory graphs use, on a capture that needs no GPU."""

import pytest
import torch

from serving.stages.cuda_graphs import CudaGraphs


class Capture:
    """A graph that computes when it is replayed, on the buffers that it was captured with."""

    def __init__(self):
        self.captured, self.replayed = [], []

    def __call__(self, network, buffers):
        rows = len(buffers["x"])
        outputs = {name: tensor.clone() for name, tensor in network(buffers).items()}
        self.captured.append((rows, buffers["x"].data_ptr()))

        def replay():
            self.replayed.append(rows)
            for name, tensor in network(buffers).items():
                outputs[name].copy_(tensor)

        return replay, outputs


@pytest.fixture
def capture():
    return Capture()


@pytest.fixture
def graphs(capture):
    graphs = CudaGraphs(lambda inputs: {"y": 2 * inputs["x"]}, capture)
    graphs.add({"x": torch.zeros(1, 3)}, [1, 2, 4])
    return graphs


def test_the_largest_is_captured_first_and_the_others_share_its_buffers(capture, graphs):
    assert [rows for rows, _ in capture.captured] == [4, 2, 1]
    assert len({pointer for _, pointer in capture.captured}) == 1
    assert len(graphs) == 3


@pytest.mark.parametrize(("rows", "replayed"), [(1, [1]), (2, [2]), (3, []), (4, [4]), (5, [])])
def test_captured_rows_are_replayed_and_others_are_computed(capture, graphs, rows, replayed):
    x = torch.randn(rows, 3)
    assert torch.equal(graphs({"x": x})["y"], 2 * x)
    assert capture.replayed == replayed


def test_another_resolution_has_no_graph_until_it_is_added(capture, graphs):
    x = torch.randn(2, 5)
    assert torch.equal(graphs({"x": x})["y"], 2 * x)
    assert capture.replayed == []
    graphs.add({"x": torch.zeros(1, 5)}, [2])
    assert torch.equal(graphs({"x": x})["y"], 2 * x)
    assert capture.replayed == [2]


def test_an_answer_is_not_overwritten_by_the_next_call(graphs):
    first = graphs({"x": torch.ones(1, 3)})["y"]
    graphs({"x": torch.zeros(1, 3)})
    assert first.tolist() == [[2, 2, 2]]
