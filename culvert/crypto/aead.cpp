#include "culvert/crypto/aead.h"

#include <cassert>

#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>

#include "culvert/crypto/aead_backends.h"

namespace culvert::crypto {
namespace {

using detail::AeadContext;

AeadContext::Nonce nonce_of(std::uint64_t counter) {
    AeadContext::Nonce nonce{};
    store_le(MutableByteSpan{nonce}.subspan(4), counter);
    return nonce;
}

unsigned char* octets(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* octets(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

std::unique_ptr<AeadContext> make_context(const Secret<32>& key, AeadBackend backend) {
    assert(is_available(backend));
    switch (backend) {
        case AeadBackend::kIpsecMb:
            return detail::make_ipsec_mb_context(key);
        case AeadBackend::kBoringSsl:
            return detail::make_boringssl_context(key);
        case AeadBackend::kOpenSsl:
            break;
    }
    return detail::make_openssl_context(key);
}

}  // namespace

AeadBackend transport_aead_backend() {
    for (const auto backend : {AeadBackend::kIpsecMb, AeadBackend::kBoringSsl}) {
        if (is_available(backend)) {
            return backend;
        }
    }
    return AeadBackend::kOpenSsl;
}

bool is_available(AeadBackend backend) {
    switch (backend) {
        case AeadBackend::kIpsecMb:
            return detail::ipsec_mb_is_available();
        case AeadBackend::kBoringSsl:
            return detail::boringssl_is_available();
        case AeadBackend::kOpenSsl:
            break;
    }
    return true;
}

std::string_view to_string(AeadBackend backend) {
    switch (backend) {
        case AeadBackend::kIpsecMb:
            return "ipsec_mb";
        case AeadBackend::kBoringSsl:
            return "BoringSSL";
        case AeadBackend::kOpenSsl:
            break;
    }
    return "OpenSSL";
}

TransportKey::TransportKey(const Secret<32>& key, AeadBackend backend) : context_{make_context(key, backend)} {}

void TransportKey::seal(std::uint64_t counter, ByteSpan plaintext, MutableByteSpan out) {
    assert(out.size() == plaintext.size() + kTagSize);
    context_->seal(nonce_of(counter), plaintext, out);
}

bool TransportKey::open(std::uint64_t counter, MutableByteSpan in_place) {
    return in_place.size() >= kTagSize && context_->open(nonce_of(counter), in_place);
}

void aead_seal(const Secret<32>& key, std::uint64_t counter, ByteSpan plaintext, ByteSpan additional,
               MutableByteSpan out) {
    assert(out.size() == plaintext.size() + kTagSize);
    crypto_aead_chacha20poly1305_ietf_encrypt(octets(out.data()), nullptr, octets(plaintext.data()), plaintext.size(),
                                              octets(additional.data()), additional.size(), nullptr,
                                              octets(nonce_of(counter).data()), octets(key.reveal().data()));
}

bool aead_open(const Secret<32>& key, std::uint64_t counter, ByteSpan sealed, ByteSpan additional,
               MutableByteSpan out) {
    assert(sealed.size() >= kTagSize && out.size() == sealed.size() - kTagSize);
    return crypto_aead_chacha20poly1305_ietf_decrypt(
               octets(out.data()), nullptr, nullptr, octets(sealed.data()), sealed.size(), octets(additional.data()),
               additional.size(), octets(nonce_of(counter).data()), octets(key.reveal().data())) == 0;
}

void xaead_seal(const Secret<32>& key, const XNonce& nonce, ByteSpan plaintext, ByteSpan additional,
                MutableByteSpan out) {
    assert(out.size() == plaintext.size() + kTagSize);
    crypto_aead_xchacha20poly1305_ietf_encrypt(octets(out.data()), nullptr, octets(plaintext.data()), plaintext.size(),
                                               octets(additional.data()), additional.size(), nullptr,
                                               octets(nonce.data()), octets(key.reveal().data()));
}

bool xaead_open(const Secret<32>& key, const XNonce& nonce, ByteSpan sealed, ByteSpan additional, MutableByteSpan out) {
    assert(sealed.size() >= kTagSize && out.size() == sealed.size() - kTagSize);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(octets(out.data()), nullptr, nullptr, octets(sealed.data()),
                                                      sealed.size(), octets(additional.data()), additional.size(),
                                                      octets(nonce.data()), octets(key.reveal().data())) == 0;
}

}  // namespace culvert::crypto
