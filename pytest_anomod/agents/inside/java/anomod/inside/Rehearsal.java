package anomod.inside;

/** Has a function that is changed and changed back at the start of each service. */
final class Rehearsal {
  private Rehearsal() {}

  static Object run() {
    return "";
  }
}
