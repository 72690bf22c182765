#!/bin/bash
# Makes testdata/files anew, with keytool and OpenSSL of this machine, and the list
# of what is in each of them (files.txt): file, store's password, passwords of keys,
# and then the entries: kind:alias:certificates, or the error that it must give.
#
# The files are committed, so that reading them needs neither program.
set -eu
cd "$(dirname "$0")"
rm -rf files && mkdir files && cd files
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
list=$work/list
pass=changeit

want() { printf '%s\n' "$*" >>"$list"; }
kt() { keytool -J-XX:TieredStopAtLevel=1 -J-Xshare:auto "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

# A root, an intermediate, and leaves of each kind of key.
export DAYS=36500
ext() { printf 'basicConstraints=critical,CA:%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$1"; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/root.key" -out "$work/root.pem" -days $DAYS -subj "/O=Coterie tests/CN=Root" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/mid.key" -out "$work/mid.csr" -subj "/O=Coterie tests/CN=Intermediate" 2>/dev/null
openssl x509 -req -in "$work/mid.csr" -CA "$work/root.pem" -CAkey "$work/root.key" -set_serial 2 -days $DAYS -extfile <(ext TRUE) -out "$work/mid.pem" 2>/dev/null
leaf() { # name, arguments of genpkey
    name=$1; shift
    openssl genpkey "$@" -out "$work/$name.key" 2>/dev/null
    openssl req -new -key "$work/$name.key" -subj "/O=Coterie tests/CN=$name.example.org" -out "$work/$name.csr" 2>/dev/null
    openssl x509 -req -in "$work/$name.csr" -CA "$work/mid.pem" -CAkey "$work/mid.key" -set_serial "0x$(printf %s "$name" | sha256sum | cut -c1-8)" -days $DAYS \
        -extfile <(ext FALSE; echo "subjectAltName=DNS:$name.example.org,DNS:app.example.org") -out "$work/$name.pem" 2>/dev/null
}
leaf rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
leaf rsa4096 -algorithm RSA -pkeyopt rsa_keygen_bits:4096
leaf ec -algorithm EC -pkeyopt ec_paramgen_curve:P-256
leaf p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
leaf ed -algorithm ED25519
cat "$work/mid.pem" "$work/root.pem" >"$work/ca.pem"

# --- keytool -----------------------------------------------------------------
gen() { # file, type, alias, algorithm, more
    f=$1 t=$2 a=$3 k=$4; shift 4
    kt -genkeypair -keystore "$f" -storetype "$t" -storepass "$pass" -alias "$a" -keyalg "$k" -validity 36500 -dname "CN=$a.example.org" -ext san=dns:app.example.org "$@"
}
trust() { f=$1 t=$2 a=$3 c=$4; shift 4; kt -importcert -noprompt -keystore "$f" -storetype "$t" -storepass "$pass" -alias "$a" -file "$c" "$@"; }
secret() { f=$1 t=$2 a=$3 k=$4 n=$5; shift 5; kt -genseckey -keystore "$f" -storetype "$t" -storepass "$pass" -alias "$a" -keyalg "$k" -keysize "$n" "$@"; }

for t in pkcs12 jks jceks; do
    gen $t-rsa.ks $t tomcat RSA -keysize 2048;          want $t-rsa.ks $pass - key:tomcat:1
    gen $t-ec.ks $t ec1 EC -groupname secp256r1;         want $t-ec.ks $pass - key:ec1:1
    gen $t-ec384.ks $t ec384 EC -groupname secp384r1;    want $t-ec384.ks $pass - key:ec384:1
    gen $t-ed.ks $t ed Ed25519;                          want $t-ed.ks $pass - key:ed:1
    cp $t-ec.ks $t-three.ks
    gen $t-three.ks $t ed Ed25519
    gen $t-three.ks $t tomcat RSA -keysize 2048;        want $t-three.ks $pass - key:ec1:1 key:ed:1 key:tomcat:1
    cp $t-ec.ks $t-trusted.ks
    trust $t-trusted.ks $t peer "$work/ec.pem";          want $t-trusted.ks $pass - key:ec1:1 trusted:peer:1
    trust $t-trust.ks $t app-a "$work/ec.pem"
    trust $t-trust.ks $t app-b "$work/ed.pem";           want $t-trust.ks $pass - trusted:app-a:1 trusted:app-b:1
    gen $t-cyrillic.ks $t ключ EC -groupname secp256r1;  want $t-cyrillic.ks $pass - key:ключ:1
    gen $t-mixed.ks $t MyServer EC -groupname secp256r1; want $t-mixed.ks $pass - key:myserver:1
done
for t in jks jceks; do
    gen $t-keypass.ks $t tomcat EC -groupname secp256r1 -keypass secret7
    want $t-keypass.ks $pass secret7 key:tomcat:1
    cp $t-keypass.ks $t-sealed.ks;                       want $t-sealed.ks $pass - sealed:tomcat:1
done
for t in pkcs12 jceks; do
    secret $t-secret.ks $t desedekey AES 256;            want $t-secret.ks $pass - secret:desedekey:0
    cp $t-ec.ks $t-all.ks
    secret $t-all.ks $t aes AES 128
    secret $t-all.ks $t des3 DESede 168
    trust $t-all.ks $t peer "$work/ed.pem";              want $t-all.ks $pass - key:ec1:1 secret:aes:0 secret:des3:0 trusted:peer:1
done
gen jks-dsa.ks jks dsa DSA -keysize 1024;                want jks-dsa.ks $pass - key:dsa:1
pass=пароль7; gen jks-unicode.ks jks tomcat EC -groupname secp256r1; want jks-unicode.ks пароль7 - key:tomcat:1; pass=changeit
long=$(printf 'a%.0s' {1..200}); gen jks-long.ks jks $long EC -groupname secp256r1; want jks-long.ks $pass - key:$long:1

P=-J-Dkeystore.pkcs12
gen kt-legacy.p12 pkcs12 tomcat RSA -keysize 2048 $P.legacy=true;     want kt-legacy.p12 $pass - key:tomcat:1
cp pkcs12-three.ks kt-legacy3.p12
trust kt-legacy3.p12 pkcs12 peer "$work/ec.pem" $P.legacy=true;       want kt-legacy3.p12 $pass - key:ec1:1 key:ed:1 key:tomcat:1 trusted:peer:1
gen kt-sha1.p12 pkcs12 t EC -groupname secp256r1 $P.macAlgorithm=HmacPBESHA1;      want kt-sha1.p12 $pass - key:t:1
gen kt-sha384.p12 pkcs12 t EC -groupname secp256r1 $P.macAlgorithm=HmacPBESHA384;  want kt-sha384.p12 $pass - key:t:1
gen kt-sha512.p12 pkcs12 t EC -groupname secp256r1 $P.macAlgorithm=HmacPBESHA512;  want kt-sha512.p12 $pass - key:t:1
gen kt-aes128.p12 pkcs12 t EC -groupname secp256r1 $P.keyProtectionAlgorithm=PBEWithHmacSHA256AndAES_128 $P.certProtectionAlgorithm=PBEWithHmacSHA1AndAES_128
want kt-aes128.p12 $pass - key:t:1
gen kt-prf512.p12 pkcs12 t EC -groupname secp256r1 $P.keyProtectionAlgorithm=PBEWithHmacSHA512AndAES_256 $P.certProtectionAlgorithm=PBEWithHmacSHA384AndAES_256
want kt-prf512.p12 $pass - key:t:1
gen kt-rounds.p12 pkcs12 t EC -groupname secp256r1 $P.keyPbeIterationCount=50000 $P.certPbeIterationCount=50000 $P.macIterationCount=100000
want kt-rounds.p12 $pass - key:t:1
trust kt-nomac-trust.p12 pkcs12 peer "$work/ec.pem" $P.macAlgorithm=NONE $P.certProtectionAlgorithm=NONE
want kt-nomac-trust.p12 $pass - trusted:peer:1
gen kt-nomac.p12 pkcs12 t EC -groupname secp256r1 $P.macAlgorithm=NONE; want kt-nomac.p12 $pass - error:no-mac

# Java's own interface, which can do more than keytool.
javac -d "$work" ../Make.java
java -cp "$work" Make api
want api-keypass.p12 $pass secret7 key:one:1 key:two:1
want api-sealed.p12 $pass - key:one:1 sealed:two:1
want api-empty.p12 $pass -
want api-empty.jks $pass -
want api-nopass.p12 - - trusted:peer:1

# --- OpenSSL -----------------------------------------------------------------
p12() { # file, leaf, more
    f=$1 l=$2; shift 2
    openssl pkcs12 -export -in "$work/$l.pem" -inkey "$work/$l.key" -out "$f" -passout "pass:$pass" "$@" 2>/dev/null
}
p12 ossl-default.p12 rsa -name tomcat;                               want ossl-default.p12 $pass - key:tomcat:1
p12 ossl-noname.p12 rsa;                                             want ossl-noname.p12 $pass - key:1:1
p12 ossl-chain.p12 rsa -name tomcat -certfile "$work/ca.pem";        want ossl-chain.p12 $pass - key:tomcat:3
p12 ossl-rsa4096.p12 rsa4096 -name big;                              want ossl-rsa4096.p12 $pass - key:big:1
p12 ossl-p521.p12 p521 -name p521 -certfile "$work/ca.pem";          want ossl-p521.p12 $pass - key:p521:3
p12 ossl-ed.p12 ed -name ed -certfile "$work/ca.pem";                want ossl-ed.p12 $pass - key:ed:3
p12 ossl-legacy.p12 ec -name t -legacy;                              want ossl-legacy.p12 $pass - key:t:1
p12 ossl-3des.p12 ec -name t -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1; want ossl-3des.p12 $pass - key:t:1
p12 ossl-2des.p12 ec -name t -certpbe PBE-SHA1-2DES -keypbe PBE-SHA1-2DES -macalg sha1; want ossl-2des.p12 $pass - key:t:1
p12 ossl-rc2-128.p12 ec -name t -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-RC2-128; want ossl-rc2-128.p12 $pass - key:t:1
p12 ossl-rc4-128.p12 ec -name t -legacy -certpbe PBE-SHA1-RC4-128 -keypbe PBE-SHA1-RC4-128; want ossl-rc4-128.p12 $pass - key:t:1
p12 ossl-rc4-40.p12 ec -name t -legacy -certpbe PBE-SHA1-RC4-40 -keypbe PBE-SHA1-RC4-40;    want ossl-rc4-40.p12 $pass - key:t:1
p12 ossl-aes128.p12 ec -name t -certpbe AES-128-CBC -keypbe AES-128-CBC;   want ossl-aes128.p12 $pass - key:t:1
p12 ossl-aes192.p12 ec -name t -certpbe AES-192-CBC -keypbe AES-192-CBC;   want ossl-aes192.p12 $pass - key:t:1
p12 ossl-des3.p12 ec -name t -certpbe DES-EDE3-CBC -keypbe DES-EDE3-CBC;   want ossl-des3.p12 $pass - key:t:1
p12 ossl-sha224.p12 ec -name t -macalg sha224;                             want ossl-sha224.p12 $pass - key:t:1
p12 ossl-sha512.p12 ec -name t -macalg sha512 -iter 100000;                want ossl-sha512.p12 $pass - key:t:1
p12 ossl-iter1.p12 ec -name t -noiter -nomaciter;                          want ossl-iter1.p12 $pass - key:t:1
p12 ossl-plaincert.p12 ec -name t -certpbe NONE;                           want ossl-plaincert.p12 $pass - key:t:1
p12 ossl-plainkey.p12 ec -name t -keypbe NONE;                             want ossl-plainkey.p12 $pass - key:t:1
p12 ossl-nomac.p12 ec -name t -nomac;                                      want ossl-nomac.p12 $pass - error:no-mac
pass= ; p12 ossl-empty.p12 ec -name t;                                     want ossl-empty.p12 - - key:t:1
pass=пароль; p12 ossl-unicode.p12 ec -name t;                              want ossl-unicode.p12 пароль - key:t:1; pass=changeit
p12 ossl-alias.p12 ec -name "Größe 漢字";                                   want ossl-alias.p12 $pass - "key:Größe_漢字:1"
openssl pkcs12 -export -nokeys -in "$work/ca.pem" -out ossl-certs.p12 -passout pass:$pass; want ossl-certs.p12 $pass - loose::1 loose::1
openssl pkcs12 -export -nocerts -inkey "$work/ec.key" -out ossl-key.p12 -passout pass:$pass -name lonely; want ossl-key.p12 $pass - key:lonely:0

# A chain, through keytool into each of its formats.
for t in pkcs12 jks jceks; do
    kt -importkeystore -srckeystore ossl-chain.p12 -srcstoretype pkcs12 -srcstorepass $pass -destkeystore $t-chain.ks -deststoretype $t -deststorepass $pass
    want $t-chain.ks $pass - key:tomcat:3
done

# --- PEM ---------------------------------------------------------------------
cat "$work/rsa.key" "$work/rsa.pem" "$work/ca.pem" >pem-chain.pem;          want pem-chain.pem - - key:1:3
cat "$work/root.pem" "$work/ec.pem" "$work/mid.pem" "$work/ec.key" >pem-mixed.pem; want pem-mixed.pem - - key:1:3
openssl rsa -in "$work/rsa.key" -traditional -out pem-pkcs1.pem 2>/dev/null; want pem-pkcs1.pem - - key:1:0
openssl ec -in "$work/ec.key" -param_enc named_curve -out pem-sec1.pem 2>/dev/null; cat "$work/ec.pem" >>pem-sec1.pem; want pem-sec1.pem - - key:1:1
openssl pkcs8 -topk8 -in "$work/ec.key" -passout pass:$pass -out pem-encrypted.pem; cat "$work/ec.pem" >>pem-encrypted.pem; want pem-encrypted.pem $pass - key:1:1
cat "$work/ca.pem" >pem-certs.pem;                                          want pem-certs.pem - - trusted:trusted-1:1 trusted:trusted-2:1
openssl rsa -in "$work/rsa.key" -traditional -aes128 -passout pass:$pass -out pem-old.pem 2>/dev/null; want pem-old.pem $pass - error:unsupported
openssl x509 -in "$work/ec.pem" -outform DER -out der-cert.cer;             want der-cert.cer $pass - error:format
openssl pkey -in "$work/ec.key" -outform DER -out der-key.der;              want der-key.der $pass - error:format

mv "$list" ../files.txt
rm -f ../files/*.log
wc -l ../files.txt
