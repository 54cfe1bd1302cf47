//! One self-contained HTML page a run: curves, views, scores, feature map, provenance
