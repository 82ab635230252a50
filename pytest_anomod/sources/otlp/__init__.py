"""A receiver of OTLP, the protocol of OpenTelemetry: HTTP with protobuf or JSON, and gRPC."""
