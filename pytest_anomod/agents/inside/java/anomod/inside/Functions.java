package anomod.inside;

import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.lang.instrument.UnmodifiableClassException;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jboss.byteman.objectweb.asm.ClassReader;
import org.jboss.byteman.objectweb.asm.ClassVisitor;
import org.jboss.byteman.objectweb.asm.Label;
import org.jboss.byteman.objectweb.asm.MethodVisitor;
import org.jboss.byteman.objectweb.asm.Opcodes;
import org.jboss.byteman.objectweb.asm.Type;

/** Functions of classes that are loaded, found by names such as shop.Orders:total or shop.Orders:total(long,int). */
final class Functions {
  private final Instrumentation instrumentation;

  Functions(Instrumentation instrumentation) {
    this.instrumentation = instrumentation;
  }

  /** A method: its first and last line with code, a constructor's without initialisers of fields. */
  record Function(
      Class<?> owner, String file, String name, String descriptor, List<String> declared, int first, int last, boolean overloaded) {

    Type returns() {
      return Type.getReturnType(descriptor);
    }

    /** Types of the parameters as the source has them. */
    String parameters() {
      return Stream.of(Type.getArgumentTypes(descriptor)).map(Type::getClassName).collect(Collectors.joining(","));
    }

    /** As the table of coverage names it: classes and method, with parameters where the name alone is not enough. */
    String shown() {
      String classes = owner.getName().substring(owner.getName().lastIndexOf('.') + 1).replace('$', '.');
      return classes + "." + name + (overloaded ? "(" + parameters() + ")" : "");
    }

    /** File below the sources, as JaCoCo has it. */
    String path() {
      String folder = owner.getPackageName().replace('.', '/');
      return folder.isEmpty() ? file : folder + "/" + file;
    }
  }

  Function find(String asked) throws Refused {
    int colon = asked.indexOf(':');
    if (colon < 0) {
      throw new Refused("'" + asked + "': write package.Class:method, or package.Class:method(long,java.lang.String)");
    }
    Class<?> owner = loaded(asked.substring(0, colon));
    String wanted = asked.substring(colon + 1);
    List<Function> every = functions(owner);
    List<Function> found = every.stream().filter(one -> matches(one, wanted)).toList();
    if (found.size() == 1) {
      return found.get(0);
    }
    List<Function> listed = found.isEmpty() ? every : found;
    String names = listed.stream().map(one -> one.name + "(" + one.parameters() + ")").sorted().collect(Collectors.joining(", "));
    String what = found.isEmpty() ? " has no such method with code" : " has several methods of that name, write one with its parameters";
    throw new Refused("'" + asked + "': " + owner.getName() + what + ": " + names);
  }

  private static boolean matches(Function function, String wanted) {
    String plain = wanted.replace(" ", "");
    return plain.equals(function.name) || plain.equals(function.name + "(" + function.parameters() + ")");
  }

  /** A class that is loaded, or that the service's own class path has; a nested one may be written with dots. */
  private Class<?> loaded(String name) throws Refused {
    Class<?>[] every = instrumentation.getAllLoadedClasses();
    for (Class<?> one : every) {
      if (!one.isArray() && (one.getName().equals(name) || one.getName().replace('$', '.').equals(name))) {
        return one;
      }
    }
    for (String each = name; ; each = each.substring(0, each.lastIndexOf('.')) + "$" + each.substring(each.lastIndexOf('.') + 1)) {
      try {
        return Class.forName(each, false, ClassLoader.getSystemClassLoader());
      } catch (ClassNotFoundException | LinkageError error) {
        if (each.indexOf('.') < 0) {
          break;
        }
      }
    }
    String simple = name.substring(name.lastIndexOf('.') + 1);
    String like = Arrays.stream(every)
        .map(Class::getName)
        .filter(other -> other.endsWith("." + simple) || other.endsWith("$" + simple) || other.equals(simple))
        .limit(8)
        .collect(Collectors.joining(", "));
    throw new Refused("no class '" + name + "' is loaded" + (like.isEmpty() ? "" : "; there are " + like));
  }

  private List<Function> functions(Class<?> owner) throws Refused {
    var visitor = new Reading(owner);
    new ClassReader(bytes(owner)).accept(visitor, ClassReader.SKIP_FRAMES);
    var names = visitor.found.stream().collect(Collectors.groupingBy(Function::name, Collectors.counting()));
    return visitor.found.stream()
        .map(one -> new Function(one.owner, visitor.file, one.name, one.descriptor, one.declared, one.first, one.last, names.get(one.name) > 1))
        .toList();
  }

  /** The class as it is in this process: whatever made it, and wherever it came from. */
  private byte[] bytes(Class<?> owner) throws Refused {
    byte[][] seen = new byte[1][];
    var look = new ClassFileTransformer() {
      @Override
      public byte[] transform(ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain, byte[] bytes) {
        if (redefined == owner) {
          seen[0] = bytes;
        }
        return null;
      }
    };
    instrumentation.addTransformer(look, true);
    try {
      instrumentation.retransformClasses(owner);
    } catch (UnmodifiableClassException | LinkageError error) {
      throw new Refused(owner.getName() + " can't be changed: " + error);
    } finally {
      instrumentation.removeTransformer(look);
    }
    return seen[0];
  }

  /** Takes down the methods of a class that have code and lines. */
  private static final class Reading extends ClassVisitor {
    final List<Function> found = new ArrayList<>();
    String file = "";
    private final Class<?> owner;

    Reading(Class<?> owner) {
      super(Opcodes.ASM9);
      this.owner = owner;
    }

    @Override
    public void visitSource(String source, String debug) {
      file = source == null ? "" : source;
    }

    @Override
    public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
      if ((access & (Opcodes.ACC_ABSTRACT | Opcodes.ACC_NATIVE | Opcodes.ACC_BRIDGE)) != 0 || name.startsWith("$jacoco")) {
        return null;
      }
      List<String> declared = exceptions == null ? List.of() : Arrays.stream(exceptions).map(one -> one.replace('/', '.')).toList();
      return new MethodVisitor(Opcodes.ASM9) {
        private final List<Integer> lines = new ArrayList<>();

        @Override
        public void visitLineNumber(int line, Label start) {
          lines.add(line);
        }

        @Override
        public void visitEnd() {
          if (!lines.isEmpty()) {
            int first = name.equals("<init>") ? lines.get(0) : lines.stream().min(Integer::compare).get();
            int last = lines.stream().max(Integer::compare).get();
            found.add(new Function(owner, "", name, descriptor, declared, first, last, false));
          }
        }
      };
    }
  }
}
