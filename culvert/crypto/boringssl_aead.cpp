#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include <dlfcn.h>

#include "culvert/crypto/aead_backends.h"

// BoringSSL and OpenSSL export the same names, so BoringSSL is not linked but loaded with RTLD_LOCAL, and its functions
// are declared here as openssl/aead.h of BoringSSL documents them.

namespace culvert::crypto::detail {
namespace {

struct EvpAead;
struct EvpAeadCtx;

using SealOrOpen = int(const EvpAeadCtx* context, std::uint8_t* out, std::size_t* out_length, std::size_t max_length,
                       const std::uint8_t* nonce, std::size_t nonce_length, const std::uint8_t* in,
                       std::size_t in_length, const std::uint8_t* additional, std::size_t additional_length);

struct Functions {
    const EvpAead* (*chacha20_poly1305)() = nullptr;
    EvpAeadCtx* (*context_new)(const EvpAead*, const std::uint8_t* key, std::size_t, std::size_t tag_length) = nullptr;
    void (*context_free)(EvpAeadCtx*) = nullptr;
    SealOrOpen* seal = nullptr;
    SealOrOpen* open = nullptr;
};

constexpr auto kPaths = std::to_array<const char*>({
    "/usr/lib/x86_64-linux-gnu/android/libcrypto.so.0", "/usr/lib/aarch64-linux-gnu/android/libcrypto.so.0",
    "/usr/lib/arm-linux-gnueabihf/android/libcrypto.so.0", "/usr/lib/i386-linux-gnu/android/libcrypto.so.0",
    "libcrypto.so.0",  // wherever the loader looks
});

template <typename Function>
bool resolve(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

std::optional<Functions> load_from(const char* path) {
    // Never unloaded: contexts may outlive everything that could close it.
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return std::nullopt;
    }
    Functions functions;
    if (!resolve(library, "EVP_aead_chacha20_poly1305", functions.chacha20_poly1305) ||
        !resolve(library, "EVP_AEAD_CTX_new", functions.context_new) ||
        !resolve(library, "EVP_AEAD_CTX_free", functions.context_free) ||
        !resolve(library, "EVP_AEAD_CTX_seal", functions.seal) ||
        !resolve(library, "EVP_AEAD_CTX_open", functions.open)) {
        dlclose(library);
        return std::nullopt;
    }
    return functions;
}

std::uint8_t* raw(std::byte* bytes) {
    return reinterpret_cast<std::uint8_t*>(bytes);
}
const std::uint8_t* raw(const std::byte* bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes);
}

class BoringSslContext final : public AeadContext {
public:
    BoringSslContext(const Functions& functions, const Secret<32>& key)
        : functions_{functions},
          context_{functions.context_new(functions.chacha20_poly1305(), raw(key.reveal().data()), key.reveal().size(),
                                         kTagSize)} {
        if (context_ == nullptr) {
            throw std::runtime_error{"BoringSSL failed: EVP_AEAD_CTX_new"};
        }
    }
    ~BoringSslContext() override { functions_.context_free(context_); }

    void seal(const Nonce& nonce, ByteSpan plaintext, MutableByteSpan out) override {
        std::size_t length = 0;
        if (functions_.seal(context_, raw(out.data()), &length, out.size(), raw(nonce.data()), nonce.size(),
                            raw(plaintext.data()), plaintext.size(), nullptr, 0) != 1) {
            throw std::runtime_error{"BoringSSL failed: EVP_AEAD_CTX_seal"};
        }
    }

    bool open(const Nonce& nonce, MutableByteSpan in_place) override {
        std::size_t length = 0;
        return functions_.open(context_, raw(in_place.data()), &length, in_place.size(), raw(nonce.data()),
                               nonce.size(), raw(in_place.data()), in_place.size(), nullptr, 0) == 1;
    }

private:
    const Functions& functions_;
    EvpAeadCtx* context_;
};

/// Whether the library agrees with ours on one message: a different or broken libcrypto.so.0 must not carry traffic.
bool passes_self_test(const Functions& functions) {
    const auto key = [] {
        Secret<32> bytes;
        for (std::size_t i = 0; i < bytes.reveal().size(); ++i) {
            bytes.reveal()[i] = static_cast<std::byte>(0x80 + i);
        }
        return bytes;
    }();
    constexpr AeadContext::Nonce kNonce{std::byte{7}};
    const std::array<std::byte, 100> plaintext{std::byte{'C'}};
    std::array<std::byte, plaintext.size() + kTagSize> expected;
    std::array<std::byte, plaintext.size() + kTagSize> actual;
    make_openssl_context(key)->seal(kNonce, plaintext, expected);
    BoringSslContext{functions, key}.seal(kNonce, plaintext, actual);
    return expected == actual;
}

const std::optional<Functions>& boringssl() {
    static const auto kFunctions = []() -> std::optional<Functions> {
        for (const auto* path : kPaths) {
            if (const auto functions = load_from(path); functions && passes_self_test(*functions)) {
                return functions;
            }
        }
        return std::nullopt;
    }();
    return kFunctions;
}

}  // namespace

bool boringssl_is_available() {
    return boringssl().has_value();
}

std::unique_ptr<AeadContext> make_boringssl_context(const Secret<32>& key) {
    return std::make_unique<BoringSslContext>(boringssl().value(), key);
}

}  // namespace culvert::crypto::detail
