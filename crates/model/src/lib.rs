//! Vision backbones and the relation head: one list of layers, a fused and a candle executor, weight files
