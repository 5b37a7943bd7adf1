"""Methods that score a sample by how badly it is reconstructed: the mean squared error over its values."""

import torch
from torch import Tensor, nn

from methods.blocks.divergence import require_finite
from methods.contract import SampleMethod


class ReconstructionMethod(SampleMethod):
    """Score = mean squared difference between a sample and its reconstruction."""

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Reconstructions, of the samples' shape."""
        raise NotImplementedError(f"{type(self).__name__} must write reconstruct(samples) -> samples")

    def anomaly_score(self, samples: Tensor) -> Tensor:
        return (samples - self.reconstruct(samples)).square().flatten(1).mean(dim=1)


class SmallAutoencoder(ReconstructionMethod):
    """What the autoencoders of single samples share: Adam on the mean squared error. A subclass builds the network.

    Args:
        learning_rate: of Adam.
    """

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate

    def reconstruct(self, samples: Tensor) -> Tensor:
        reconstructions: Tensor = self(samples)
        return reconstructions

    def loss(self, samples: Tensor) -> Tensor:
        """What training minimises, a scalar."""
        return nn.functional.mse_loss(self(samples), samples)

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor:
        loss = self.loss(batch)
        self._last_loss = loss.detach()
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def on_train_epoch_end(self) -> None:
        require_finite(self._last_loss, self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), self.learning_rate)


class PictureAutoencoder(SmallAutoencoder):
    """An autoencoder of pictures with values in [0, 1], trained on the binary cross-entropy of their pixels, as on the Keras blog.

    Trained on the squared error instead, the convolutional one ends at black pictures: most pixels are black, and the sigmoid's
    gradient vanishes there.
    """

    def loss(self, samples: Tensor) -> Tensor:
        restored = self(samples)
        with torch.autocast(samples.device.type, enabled=False):  # in half precision CUDA refuses this loss
            return nn.functional.binary_cross_entropy(restored.float(), samples)

    def initialise(self) -> None:
        """Keras' start: Glorot's uniform weights, biases 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
