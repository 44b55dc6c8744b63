"""Euclidean distances and nearest neighbours between sets of features, with exact ties.

Precision, recall, density, coverage and the search for copies compare distances with distances, so a
rounding error moves whole samples in or out. |x|^2 + |y|^2 - 2xy, the fast form, loses what x and y have in
common. Here it is computed in float64 from centred features and comes with a bound of its error; every
comparison that falls within the bound, and every distance that is returned, is computed again as a sum of
squared differences.

Why numpy in float64 and not compiled float32: two shared cores took 1.6 s and 0.9 s for 10,000 x 10,000 x
128, and 1.7 s and 2.3 s for 4,000 x 4,000 x 2048, so little is to be gained on a CPU, and the band of
float32 in which pairs must be computed again is 5e8 times as wide. BLAS uses all cores. No more than a few
tiles exist at once: some 250 MB beside the features, for sets of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gan_jax.metrics.features import check_features, check_same_width

_TILE = 2048  # rows and columns of a tile
_SPARE = 8  # neighbours kept beyond k until the exact distances are known
_ENTRIES = 2**21  # differences computed at a time: 16 MB
_SPARSE = 32  # candidates per row above which a partition is faster than a sort


@dataclass(frozen=True)
class Tile:
    """Squared distances between some rows of one set and some of another.

    Attributes:
        left: all features [N, D] of the one set.
        right: all features [M, D] of the other.
        rows: which of `left`.
        columns: which of `right`.
        squared: float64 [rows, columns], rounded.
        row_error: float64 [rows]; no entry of a row is off by more than this plus the largest `column_error`.
        column_error: float64 [columns].
    """

    left: np.ndarray
    right: np.ndarray
    rows: slice
    columns: slice
    squared: np.ndarray
    row_error: np.ndarray
    column_error: np.ndarray

    def transposed(self) -> Tile:
        """The same distances, seen from the other set."""
        return Tile(
            self.right, self.left, self.columns, self.rows, self.squared.T, self.column_error, self.row_error
        )

    def pairs_within(self, limits: np.ndarray, *, strict: bool) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of this tile whose exact squared distance is <= (`strict`: <) the limit of its row.

        Args:
            limits: float64 [N], squared, for all rows of `left`.
            strict: whether a pair exactly at its limit is left out.

        Returns:
            Their indices into `left` and into `right`, int64 [P] each.
        """
        error = self.row_error + self.column_error.max()
        row, column = _where(self.squared <= (limits[self.rows] + error)[:, None])
        i, j, limit = row + self.rows.start, column + self.columns.start, limits[self.rows][row]
        keep = self.squared[row, column] < limit - error[row]
        unsure = np.flatnonzero(~keep)
        exact = squared_of_pairs(self.left, self.right, i[unsure], j[unsure])
        keep[unsure] = exact < limit[unsure] if strict else exact <= limit[unsure]
        return i[keep], j[keep]


def squared_of_pairs(left: np.ndarray, right: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """sum_d (left[i] - right[j])^2 of each pair, float64 [P]; the same either way round, so ties are ties."""
    out = np.empty(len(i))
    step = max(1, _ENTRIES // left.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = left[i[part]].astype(np.float64) - right[j[part]]
        out[part] = np.square(difference, out=difference).sum(axis=1)
    return out


def tiles(left: np.ndarray, right: np.ndarray | None = None) -> Iterator[Tile]:
    """All squared distances between two sets, tile by tile.

    Args:
        left: features [N, D].
        right: features [M, D]; None: `left` again, and then only the tiles on and above the diagonal, since
            the others are their transposes.
    """
    same = right is None
    other = left if right is None else right
    centre = (left.mean(axis=0, dtype=np.float64) + other.mean(axis=0, dtype=np.float64)) / 2
    # Sums of D + 2 products, n roundings each (Higham 2002, section 3.1), of norms and products that all lie
    # below |x|^2 + |y|^2; 32 for the centring.
    unit = (2 * left.shape[1] + 32) * np.finfo(np.float64).eps
    for rows in _blocks(len(left)):
        x = left[rows] - centre
        x_norms = np.square(x).sum(axis=1)
        # With two more columns one product of matrices gives |x|^2 - 2xy + |y|^2.
        x = np.concatenate([x, x_norms[:, None], np.ones((len(x), 1))], axis=1)
        for columns in _blocks(len(other)):
            if same and columns.start < rows.start:
                continue
            y = other[columns] - centre
            y_norms = np.square(y).sum(axis=1)
            y *= -2
            y = np.concatenate([y, np.ones((len(y), 1)), y_norms[:, None]], axis=1)
            yield Tile(left, other, rows, columns, x @ y.T, unit * x_norms, unit * y_norms)


def _blocks(size: int) -> list[slice]:
    return [slice(start, min(start + _TILE, size)) for start in range(0, size, _TILE)]


def nearest_squared(
    queries: np.ndarray, references: np.ndarray | None, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest references of each query: indices int64 [N, k] and squared distances float64 [N, k].

    In the order of distance, then of index. The squared distances are those of `squared_of_pairs`, so that
    comparing them with others of that function is exact.

    Args:
        queries: features [N, D].
        references: features [M, D]; None: the queries themselves, where no row is its own neighbour.
        k: from 1 to M, or to N - 1 without references.
    """
    available = len(queries) - 1 if references is None else len(references)
    if not 1 <= k <= available:
        raise ValueError(f"k={k} nearest of {available}: k must be from 1 to {available}")
    best = _Best(len(queries), min(k + _SPARE, available))
    for tile in tiles(queries, references):
        if references is None and tile.rows == tile.columns:
            np.fill_diagonal(tile.squared, np.inf)
        best.offer(tile)
        if references is None and tile.rows != tile.columns:
            best.offer(tile.transposed())
    return best.settle(queries, queries if references is None else references, k)


class _Best:
    """The nearest columns of every row so far, by rounded distances."""

    def __init__(self, size: int, count: int) -> None:
        self.squared = np.full((size, count), np.inf)
        self.index = np.zeros((size, count), np.int64)

    def offer(self, tile: Tile) -> None:
        """Takes what is nearer than the farthest kept."""
        squared, count = self.squared[tile.rows], self.squared.shape[1]
        found = tile.squared < squared[:, -1:]
        total = np.count_nonzero(found)
        if total == 0:
            return
        if total > _SPARSE * len(squared) and tile.squared.shape[1] > count:
            column = np.argpartition(tile.squared, count - 1, axis=1)[:, :count]
            value = np.take_along_axis(tile.squared, column, axis=1)
        else:
            column, value = _packed(tile.squared, found, count)
        value = np.concatenate([squared, value], axis=1)
        index = np.concatenate([self.index[tile.rows], column + tile.columns.start], axis=1)
        order = np.argsort(value, axis=1, kind="stable")[:, :count]
        self.squared[tile.rows] = np.take_along_axis(value, order, axis=1)
        self.index[tile.rows] = np.take_along_axis(index, order, axis=1)

    def settle(self, left: np.ndarray, right: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of those kept, by exact distances."""
        size, count = self.index.shape
        exact = np.empty((size, count))
        for part in _blocks(size):
            rows = np.repeat(np.arange(part.start, part.stop), count)
            exact[part] = squared_of_pairs(left, right, rows, self.index[part].ravel()).reshape(-1, count)
        order = np.lexsort((self.index, exact), axis=1)[:, :k]
        return np.take_along_axis(self.index, order, axis=1), np.take_along_axis(exact, order, axis=1)


def _packed(squared: np.ndarray, found: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` smallest found entries of each row: columns and values [rows, count], else inf."""
    row, column = _where(found)
    value = squared[row, column]
    order = np.lexsort((value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    keep = place < count
    columns = np.zeros((len(squared), count), np.int64)
    values = np.full((len(squared), count), np.inf)
    columns[row[keep], place[keep]] = column[keep]
    values[row[keep], place[keep]] = value[keep]
    return columns, values


def _where(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """np.nonzero, in whatever order, several times as fast for a large mask with few entries."""
    if not mask.flags.c_contiguous and mask.flags.f_contiguous:
        column, row = _where(mask.T)
        return row, column
    row, column = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return row, column


def nearest(queries: np.ndarray, references: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest references of each query, nearest first.

    Each distance is exact for the pair it is given for. A neighbour can be passed over for one that is
    farther by no more than float64 rounding of the squared norms, far below the resolution of float32
    features.

    Args:
        queries: features [N, D].
        references: features [M, D].
        k: how many, from 1 to M.

    Returns:
        Indices into the references, int64 [N, k], and Euclidean distances, float64 [N, k].

    Raises:
        UserError: NaN or infinite features, another shape, fewer than k references.
    """
    queries = check_features(queries, "queries")
    references = check_features(references, "references", k)
    check_same_width(queries, references)
    index, squared = nearest_squared(queries, references, k)
    return index, np.sqrt(squared)
