#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/crypto/secret.h"

namespace culvert::crypto {

/// Bytes that authentication adds to a message.
inline constexpr std::size_t kTagSize = 16;

/// Which library seals and opens transport packets.
enum class AeadBackend : std::uint8_t {
    /// Intel's multi-buffer library (Debian's libipsec-mb), on processors with AVX-512: the fastest there.
    kIpsecMb,
    /// Debian's android-libboringssl, loaded at run time: the fastest elsewhere.
    kBoringSsl,
    /// The OpenSSL we link; always there.
    kOpenSsl,
};

/// The fastest backend of this machine. Decided at the first call; the same for the rest of the process.
[[nodiscard]] AeadBackend transport_aead_backend();
[[nodiscard]] bool is_available(AeadBackend backend);
/// For logs.
[[nodiscard]] std::string_view to_string(AeadBackend backend);

namespace detail {

/// One library's way to do ChaCha20-Poly1305 with a context that outlives the packet.
class AeadContext {
public:
    AeadContext() = default;
    virtual ~AeadContext() = default;
    AeadContext(const AeadContext&) = delete;
    AeadContext& operator=(const AeadContext&) = delete;

    using Nonce = std::array<std::byte, 12>;
    virtual void seal(const Nonce& nonce, ByteSpan plaintext, MutableByteSpan out) = 0;
    [[nodiscard]] virtual bool open(const Nonce& nonce, MutableByteSpan in_place) = 0;
};

}  // namespace detail

/// One direction of a transport session: ChaCha20-Poly1305 (RFC 8439) without additional data, whose nonce is 4 zero
/// bytes and the little-endian packet counter.
///
/// Key set-up is paid once; sealing and opening allocate nothing. Not thread-safe.
class TransportKey {
public:
    explicit TransportKey(const Secret<32>& key) : TransportKey{key, transport_aead_backend()} {}
    /// Requires is_available(backend).
    TransportKey(const Secret<32>& key, AeadBackend backend);

    TransportKey(TransportKey&&) noexcept = default;
    TransportKey& operator=(TransportKey&&) noexcept = default;

    /// Writes ciphertext and tag. `out` must have plaintext.size() + kTagSize bytes, and either start exactly where
    /// `plaintext` starts or not overlap it. A counter must never be used twice.
    void seal(std::uint64_t counter, ByteSpan plaintext, MutableByteSpan out);

    /// Decrypts ciphertext and tag; the plaintext ends up in front and is kTagSize shorter. False if the message is
    /// forged or shorter than a tag; the bytes are then unspecified.
    [[nodiscard]] bool open(std::uint64_t counter, MutableByteSpan in_place);

private:
    std::unique_ptr<detail::AeadContext> context_;
};

/// ChaCha20-Poly1305 with additional data and a key used for one message: the Noise handshake. The nonce is 4 zero
/// bytes and the little-endian `counter`. `out` must have plaintext.size() + kTagSize bytes.
void aead_seal(const Secret<32>& key, std::uint64_t counter, ByteSpan plaintext, ByteSpan additional,
               MutableByteSpan out);
/// Reverse of aead_seal(). `out` must have sealed.size() - kTagSize bytes. False, with `out` unspecified, if forged.
[[nodiscard]] bool aead_open(const Secret<32>& key, std::uint64_t counter, ByteSpan sealed, ByteSpan additional,
                             MutableByteSpan out);

using XNonce = std::array<std::byte, 24>;

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): WireGuard's cookies. Sizes as for aead_seal().
void xaead_seal(const Secret<32>& key, const XNonce& nonce, ByteSpan plaintext, ByteSpan additional,
                MutableByteSpan out);
[[nodiscard]] bool xaead_open(const Secret<32>& key, const XNonce& nonce, ByteSpan sealed, ByteSpan additional,
                              MutableByteSpan out);

}  // namespace culvert::crypto
