"""A grid of class scores at its place in an image."""

from dataclasses import dataclass

from torch import Tensor

from model.upsampling import Upsampling


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Scores of a rectangle of the image.

    Attributes:
        top, left: the rectangle's place in the image, in pixels.
        scores: (K, height / stride, width / stride).
    """

    top: int
    left: int
    scores: Tensor

    def logits(self, upsampling: Upsampling, first_row: int, last_row: int) -> Tensor:
        """Output of the transposed convolution in rows ``first_row`` to ``last_row - 1`` of the rectangle.

        Computed from the score rows that those rows depend on and no others.

        Returns:
            (K, last_row - first_row, stride * width of the grid).
        """
        stride = upsampling.factor
        # Row y lies between the centres of score rows (y + stride / 2) // stride - 1 and the next.
        first_cell = max(0, (first_row + stride // 2) // stride - 1)
        last_cell = (last_row - 1 + stride // 2) // stride
        band = upsampling(self.scores[None, :, first_cell : last_cell + 1])[0]
        offset = first_cell * stride
        return band[:, first_row - offset : last_row - offset]  # type: ignore[no-any-return]
