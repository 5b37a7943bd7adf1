"""The methods under comparison. A method is one file here and one YAML in ``conf/method``; it knows tensors only.

Shape suffixes: B or N images, C channels, H and W pixels, D features, K components. Images are float32 in [0, 1], gray (C = 1)
or RGB (C = 3). Nothing here imports ``benchmarks``.
"""
