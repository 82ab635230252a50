package shop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.function.IntUnaryOperator;

/** A service whose requests are lines: a name is called, and what it gives is answered in one line. */
public class Probe {
  enum Kind { GOOD, BAD }

  static final class Part {
    private final String name = "part";
    private final int size;

    Part(int size) {
      this.size = size;
    }

    int twice() {
      return size * 2;
    }
  }

  private static final CountDownLatch ENTERED = new CountDownLatch(1);
  private static final CountDownLatch LATCH = new CountDownLatch(1);

  static int total(int a, int b) {
    return a + b;
  }

  static long total(long a) {
    return a + 1;
  }

  static String read(String what) throws IOException {
    try {
      if (what.isEmpty()) {
        return "nothing";
      }
      return "read " + what;
    } catch (RuntimeException error) {
      return "swallowed " + error.getMessage();
    }
  }

  static Kind kind() {
    return Kind.GOOD;
  }

  static BigDecimal price() {
    return BigDecimal.ONE;
  }

  static String slow() throws InterruptedException {
    ENTERED.countDown();
    LATCH.await();
    return "slow";
  }

  private static String one(Callable<Object> what) {
    long began = System.nanoTime();
    Object got;
    try {
      got = what.call();
    } catch (Throwable error) {
      got = error + " at " + error.getStackTrace()[0];
    }
    return got + (System.nanoTime() - began > 300_000_000L ? " late" : "");
  }

  public static void main(String[] arguments) throws Exception {
    IntUnaryOperator lambda = x -> {
      int y = x + 1;
      return y * 10;
    };
    Map<String, Callable<Object>> routes = Map.of(
        "total", () -> total(1, 2),
        "long", () -> total(5L),
        "read", () -> read("x"),
        "empty", () -> read(""),
        "kind", () -> kind(),
        "price", () -> price(),
        "part", () -> new Part(4).twice(),
        "lambda", () -> lambda.applyAsInt(1),
        "own", () -> System.getProperty("own") + " " + System.getProperty("started"));
    var in = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("ready");
    for (String line; (line = in.readLine()) != null; ) {
      if (line.equals("begin")) {
        new Thread(() -> System.out.println(one(() -> slow()))).start();
        ENTERED.await();
        System.out.println("began");
      } else if (line.equals("end")) {
        LATCH.countDown();
      } else {
        System.out.println(one(routes.getOrDefault(line, () -> "unknown")));
      }
    }
  }
}
