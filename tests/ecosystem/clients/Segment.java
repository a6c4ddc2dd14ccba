import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;

/** Java's own client: it makes no forms, and so programs write them; of unknown length, they go in chunks. */
public class Segment {
    public static void main(String[] arguments) throws Exception {
        String boundary = "----JavaBoundary";
        String head = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"format\"\r\n"
            + "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\njson\r\n"
            + "--" + boundary + "\r\nContent-Disposition: form-data; name=\"image\"\r\n"
            + "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n";
        List<InputStream> parts = List.of(
            new ByteArrayInputStream(head.getBytes()),
            Files.newInputStream(Path.of(arguments[1])),
            new ByteArrayInputStream(("\r\n--" + boundary + "--\r\n").getBytes()));
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Content-Type", "multipart/form-data; boundary=" + boundary)
            .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new SequenceInputStream(Collections.enumeration(parts))))
            .build();
        System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
