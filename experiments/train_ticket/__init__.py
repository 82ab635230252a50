"""The scenarios of TrainTicket."""
