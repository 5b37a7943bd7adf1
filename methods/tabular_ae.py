"""Autoencoder of table rows: columns -> 14 -> 7 -> 7 -> columns, trained on normal rows.

Source: V. Valkov, Credit Card Fraud Detection using Autoencoders in Keras, curiousily.com, 2017, and its many descendants. Idea:
seven numbers carry what normal transactions have in common; a fraud comes back changed.
Cost of the full budget: 2 s for 790 rows; 182,000 rows take 10 s an epoch on a shared CPU core.
"""

from torch import Tensor, nn

from methods.blocks.reconstruction import SmallAutoencoder


class TabularAutoencoder(SmallAutoencoder):
    """Encoder tanh, ReLU; decoder tanh, linear output, as standardised columns lie on both sides of 0.

    Args:
        columns: of the table.
        hidden: width of the outer hidden layer.
        latent: width of the two inner ones.
        activity_penalty: weight of the L1 norm of the outer hidden layer's activations, averaged over the batch.
        learning_rate: of Adam.
    """

    def __init__(self, columns: int, hidden: int, latent: int, activity_penalty: float, learning_rate: float) -> None:
        super().__init__(learning_rate)
        self.activity_penalty = activity_penalty
        self.outer = nn.Sequential(nn.Linear(columns, hidden), nn.Tanh())
        self.inner = nn.Sequential(nn.Linear(hidden, latent), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(latent, latent), nn.Tanh(), nn.Linear(latent, columns))

    def forward(self, rows_BD: Tensor) -> Tensor:
        """Reconstructions, (B, D)."""
        reconstructions_BD: Tensor = self.decoder(self.inner(self.outer(rows_BD)))
        return reconstructions_BD

    def loss(self, samples: Tensor) -> Tensor:
        hidden_BK: Tensor = self.outer(samples)
        error = nn.functional.mse_loss(self.decoder(self.inner(hidden_BK)), samples)
        penalty: Tensor = self.activity_penalty * hidden_BK.float().abs().sum(dim=1).mean()
        return error + penalty
