"""Random graphs of two blocks, labelled by whether they are connected (arXiv 2303.13458, first version)."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components


def block_graphs(
    num: int, block_size: int, inside: float, across: float, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "N n n"], Int[np.ndarray, " N"]]:
    """Returns adjacency matrices of n = 2 block_size nodes, relabelled at random, and 1 for connected ones.

    Args:
        num: graphs.
        block_size: nodes per block.
        inside: probability of an edge within a block.
        across: probability of an edge between the blocks.
        generator: of the random numbers.
    """
    nodes = 2 * block_size
    same = np.arange(nodes) // block_size
    probability = np.where(same[:, None] == same, inside, across)
    upper = np.triu(generator.random((num, nodes, nodes)) < probability, 1)
    graphs = upper | upper.transpose(0, 2, 1)
    for graph in graphs:
        # The numbers of the nodes must not tell their blocks.
        order = generator.permutation(nodes)
        graph[:] = graph[order][:, order]
    labels = [int(connected_components(graph, directed=False, return_labels=False) == 1) for graph in graphs]
    return graphs.astype(np.float32), np.array(labels, np.int32)
