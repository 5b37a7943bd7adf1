"""Dense autoencoder of small pictures: 784 -> 32 -> 784.

Source: F. Chollet, Building Autoencoders in Keras, blog.keras.io, 2016, "the simplest possible autoencoder". Idea: 32 numbers
carry what the training digits have in common; what differs from them comes back changed.
Cost of the full budget: 10 to 30 s for 5,800 digits on a shared CPU core.
"""

from torch import Tensor, nn

from methods.blocks.reconstruction import PictureAutoencoder


class DenseAutoencoder(PictureAutoencoder):
    """One hidden layer: ReLU code, sigmoid output.

    Args:
        px: side of the pictures.
        latent: size of the code.
        learning_rate: of Adam.
    """

    def __init__(self, px: int, latent: int, learning_rate: float) -> None:
        super().__init__(learning_rate)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(px * px, latent), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(latent, px * px), nn.Sigmoid(), nn.Unflatten(1, (1, px, px)))
        self.initialise()

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Reconstructions (B, 1, px, px), values in [0, 1]."""
        reconstructions_BCHW: Tensor = self.decoder(self.encoder(images_BCHW))
        return reconstructions_BCHW
