"""Nearest neighbours by Euclidean distance, found by faiss (Johnson, Douze, Jegou 2017)."""

import faiss
import torch
from torch import Tensor


def nearest(queries_NK: Tensor, points_MK: Tensor, count: int) -> Tensor:
    """Indices (N, count) of the points nearest to each query, nearest first."""
    index: faiss.Index = faiss.IndexFlatL2(points_MK.shape[1])
    if faiss_on_gpu(points_MK):
        index = faiss.index_cpu_to_all_gpus(index)
    index.add(points_MK.cpu().numpy())
    _, found_NM = index.search(queries_NK.cpu().numpy(), count)
    return torch.from_numpy(found_NM).to(queries_NK.device)


def distances_to_nearest(queries_NK: Tensor, points_MK: Tensor, count: int) -> Tensor:
    """Distances (N, count) to the nearest points, nearest first; faiss's own lose digits where they are small."""
    neighbours_NMK = points_MK[nearest(queries_NK, points_MK, count)]
    distances_NM: Tensor = torch.linalg.vector_norm(queries_NK[:, None] - neighbours_NMK, dim=2)
    return distances_NM


def faiss_on_gpu(points: Tensor) -> bool:
    return points.is_cuda and faiss.get_num_gpus() > 0
