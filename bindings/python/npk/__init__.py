"""Arrays on disk that are changed in place, and exact nearest-row search straight from them.

>>> import npk, numpy as np
>>> with npk.Store("features.npk") as store:
...     store.save({"embeddings": np.ones((1000, 128), np.float32)})
...     rows, scores = npk.StreamingVectorEngine().streaming_top_k_from_file(
...         np.ones(128, np.float32), store, "embeddings", "cosine", 10)
"""

from npk._npk import (
    ArrayMetadata,
    Batch,
    CorruptionError,
    RowChanges,
    RowStream,
    Snapshot,
    Store,
    StreamingVectorEngine,
    VectorEngine,
    __version__,
    metrics,
    simd_target,
)

__all__ = ["ArrayMetadata", "Batch", "CorruptionError", "RowChanges", "RowStream", "Snapshot",
           "Store", "StreamingVectorEngine", "VectorEngine", "__version__", "metrics",
           "simd_target"]
