"""A receiver of OTLP, the protocol of OpenTelemetry: over HTTP with protobuf or JSON, and over gRPC."""
