"""From a folder of images to batches: index, decoding, cache, split, augmentation, DataModule; the known datasets."""
