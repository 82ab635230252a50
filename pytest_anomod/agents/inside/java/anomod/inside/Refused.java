package anomod.inside;

/** A question that can't be answered as it was asked; the message says what is wrong with it. */
final class Refused extends Exception {
  private static final long serialVersionUID = 1L;

  Refused(String message) {
    super(message);
  }
}
