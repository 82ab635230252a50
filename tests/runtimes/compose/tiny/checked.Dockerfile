# The program alone, with a health check in the image.
FROM scratch
COPY tiny /tiny
HEALTHCHECK --interval=500ms --retries=20 CMD ["/tiny", "check", "http://localhost:8000/health"]
ENTRYPOINT ["/tiny"]
