import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509CRLEntry;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What Java finds in lists, and whether it takes a path by them; one line of words for each
 * argument.
 *
 * <p>read:CA.pem:LIST gives number, thisUpdate, nextUpdate (seconds), count, the entries' digest,
 * critical extensions, and whether the CA's key signed it. path:SECONDS:ROOT.pem:CA.pem:EE.pem:LIST,...
 * gives VALID, or the reason why not.
 */
public final class ReadLists {
    private static CertificateFactory factory;

    public static void main(String[] arguments) throws Exception {
        factory = CertificateFactory.getInstance("X.509");
        for (String argument : arguments) {
            String[] parts = argument.split(":");
            System.out.println(parts[0].equals("read") ? read(parts) : judge(parts));
        }
    }

    private static String read(String[] parts) throws Exception {
        X509CRL list = list(parts[2]);
        byte[] octets = list.getExtensionValue("2.5.29.20");
        BigInteger number = new BigInteger(1, java.util.Arrays.copyOfRange(octets, 4, octets.length));
        Set<? extends X509CRLEntry> entries = list.getRevokedCertificates();
        Set<String> lines = new TreeSet<>();
        if (entries != null) {
            for (X509CRLEntry entry : entries) {
                lines.add(
                    String.format("%040x", entry.getSerialNumber())
                        + " " + entry.getRevocationDate().getTime() / 1000
                        + " " + entry.getRevocationReason());
            }
        }
        String digest = hex(
            java.security.MessageDigest.getInstance("SHA-256")
                .digest(String.join("\n", lines).getBytes("US-ASCII")));
        return number
            + " " + list.getThisUpdate().getTime() / 1000
            + " " + list.getNextUpdate().getTime() / 1000
            + " " + lines.size()
            + " " + digest
            + " " + String.join(",", list.getCriticalExtensionOIDs())
            + ";" + list.hasUnsupportedCriticalExtension()
            + " " + signed(list, certificate(parts[1]));
    }

    private static boolean signed(X509CRL list, X509Certificate issuer) throws Exception {
        try {
            list.verify(issuer.getPublicKey());
            return list.getIssuerX500Principal().equals(issuer.getSubjectX500Principal());
        } catch (java.security.SignatureException error) {
            return false;
        }
    }

    private static String judge(String[] parts) throws Exception {
        PKIXParameters parameters =
            new PKIXParameters(Set.of(new TrustAnchor(certificate(parts[2]), null)));
        parameters.setRevocationEnabled(true);
        parameters.setPolicyQualifiersRejected(false); // our critical policies name the CPS
        parameters.setDate(new Date(Long.parseLong(parts[1]) * 1000));
        List<X509CRL> lists = new ArrayList<>();
        for (String name : parts[5].split(",")) {
            lists.add(list(name));
        }
        parameters.addCertStore(
            CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists)));
        CertPath path =
            factory.generateCertPath(List.of(certificate(parts[4]), certificate(parts[3])));
        try {
            CertPathValidator.getInstance("PKIX").validate(path, parameters);
            return "VALID";
        } catch (CertPathValidatorException error) {
            return error.getReason() + " " + error.getIndex();
        }
    }

    private static X509CRL list(String name) throws Exception {
        return (X509CRL) factory.generateCRL(new ByteArrayInputStream(octets(name)));
    }

    private static X509Certificate certificate(String name) throws Exception {
        return (X509Certificate)
            factory.generateCertificate(new ByteArrayInputStream(octets(name)));
    }

    private static byte[] octets(String name) throws Exception {
        return Files.readAllBytes(Path.of(name));
    }

    private static String hex(byte[] octets) {
        return java.util.HexFormat.of().formatHex(octets);
    }
}
