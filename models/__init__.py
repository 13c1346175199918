"""The Falcon family in torch: configuration, decoder, quantised layers, checkpoints and the embedded tiny model."""
