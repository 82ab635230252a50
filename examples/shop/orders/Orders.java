import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The shop's orders: asks pricing for a quote and numbers what was ordered. */
public final class Orders {
  private static final Pattern QUERY = Pattern.compile("price=(\\d{1,9})&count=(-?\\d{1,9})");
  private static final Pattern QUOTE = Pattern.compile("\"quote\":\"(\\w+)\",\"total\":(\\d+)");
  private static final Duration PATIENCE = Duration.ofMillis(1500);
  private static final Logger LOG;

  static {
    System.setProperty("sun.net.httpserver.nodelay", "true"); // head and body of an answer are two packets
    System.setProperty("java.util.logging.SimpleFormatter.format", "%1$tFT%1$tT.%1$tL%1$tz %4$s %5$s%6$s%n");
    Security.setProperty("networkaddress.cache.ttl", "1"); // services may move
    LOG = Logger.getLogger("orders");
  }

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(PATIENCE).build();
  private final AtomicLong numbers = new AtomicLong();
  private final String pricing;

  Orders(String pricing) {
    this.pricing = pricing;
  }

  /** What a service answers. */
  record Answer(int status, String body) {
    static Answer error(int status, String message) {
      return new Answer(status, "{\"error\":\"" + message + "\"}");
    }
  }

  /** An order, numbered; 400 for one that can't be, 502 or 504 when there is no quote for it. */
  Answer order(String query) throws InterruptedException {
    Matcher wanted = QUERY.matcher(query == null ? "" : query);
    if (!wanted.matches() || Long.parseLong(wanted.group(2)) < 1) {
      return Answer.error(400, "an order has a price and a count of at least 1");
    }
    try {
      Matcher quote = quote(query);
      long id = numbers.incrementAndGet();
      LOG.log(Level.INFO, "order {0} costs {1}", new Object[] {Long.toString(id), quote.group(2)});
      var order = "{\"id\":%d,\"quote\":\"%s\",\"total\":%s}";
      return new Answer(201, order.formatted(id, quote.group(1), quote.group(2)));
    } catch (HttpTimeoutException error) {
      LOG.log(Level.SEVERE, "pricing is late", error);
      return Answer.error(504, "pricing is late");
    } catch (IOException error) {
      LOG.log(Level.SEVERE, "pricing failed", error);
      return Answer.error(502, "pricing failed");
    }
  }

  /** A quote of pricing: its id and the total. */
  private Matcher quote(String query) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(pricing + "/quotes?" + query)).timeout(PATIENCE).build();
    var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
    Matcher quote = QUOTE.matcher(answer.body());
    if (answer.statusCode() != 200 || !quote.find()) {
      throw new IOException("pricing answered " + answer.statusCode());
    }
    return quote;
  }

  private Answer route(HttpExchange exchange) {
    String asked = exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath();
    try {
      return switch (asked) {
        case "POST /orders" -> order(exchange.getRequestURI().getQuery());
        case "GET /health" -> new Answer(200, "{\"ok\":true}");
        default -> Answer.error(404, "no such path");
      };
    } catch (InterruptedException error) {
      return Answer.error(503, "orders is stopping");
    } catch (RuntimeException error) {
      LOG.log(Level.SEVERE, asked + " failed", error);
      return Answer.error(500, "internal error");
    }
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      exchange.getRequestBody().readAllBytes();
      Answer answer = route(exchange);
      byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(answer.status(), body.length);
      exchange.getResponseBody().write(body);
    }
  }

  public static void main(String[] arguments) throws IOException {
    var orders = new Orders(System.getenv().getOrDefault("PRICING_URL", "http://127.0.0.1:9000"));
    String host = System.getenv().getOrDefault("HOST", "127.0.0.1");
    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "7000"));
    var server = HttpServer.create(new InetSocketAddress(host, port), 128);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", orders::handle);
    server.start();
    LOG.info("orders listens on " + server.getAddress());
  }
}
