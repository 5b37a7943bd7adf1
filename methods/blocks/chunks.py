"""How many images pass a network together.

A CPU wants few: glibc fetches blocks of over 32 MB from the system at each use and gives them back, and the system clears them page
by page. With the whole batch of 128 images at 256 px in one piece, an autoencoder's training step spent over 40 % of its time so.
A GPU wants many: it works on them faster than it can be told to.
"""

from torch import device

CPU_LAYER_BYTES = 2**24
ON_A_GPU = 128


def images_at_once(px: int, width: int, where: device) -> int:
    """How many px x px images to hand at once to a network whose largest output has `width` channels at half the side, float32."""
    return max(1, CPU_LAYER_BYTES // (width * px**2)) if where.type == "cpu" else ON_A_GPU
