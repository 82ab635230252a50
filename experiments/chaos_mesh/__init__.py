"""AnoMod's own manifests for Chaos Mesh as scenarios, made true: for a cluster that has Chaos Mesh."""
