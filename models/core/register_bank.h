// The registers of a unit with the access rules that every register file has: which words belong to which
// register, which fields can be read and written, and when. What a write means beyond its fields is told to
// the register file by a handler, in the style of a data sheet:
//
//     bank_.bind(cmd_base_, "Command Buffer Base", 0x08,
//     8).read_write(fields).while_not(&Registers::running);
//
// Accesses have 4 bytes, or 8 bytes to one 64-bit register; anything else reads 0 and is ignored. A place
// without register reads 0 and ignores writes. C++17: register files are public.
#pragma once

#include "../base/bits.h"

#include <cstdint>
#include <cstdio>
#include <vector>

namespace iommusim {

/// A write as a handler sees it, in the register's bit positions.
struct RegisterWrite {
    std::uint64_t value; ///< of the writable fields, merged with the bits that were not written
    std::uint64_t ones;  ///< bits that were written 1, among the bytes of the access
};

/// One register with its access policy; the policy is bound once, in the constructor of `Owner`.
template <class Owner> struct BankRegister {
    using Handler = void (Owner::*)(BankRegister&, const RegisterWrite&);
    using Condition = bool (Owner::*)(const BankRegister&) const;

    const char* name = "";
    std::uint64_t offset = 0;
    unsigned bytes = 4;
    std::uint64_t value = 0;
    std::uint64_t reset_value = 0;
    std::uint64_t readable = ~0ull; ///< the rest reads 0
    std::uint64_t writable = 0;     ///< the rest is read-only, RW1C or reserved
    Condition locked = nullptr;     ///< while it is true, writes are ignored
    Handler handler = nullptr;      ///< stores the value itself

    BankRegister& read_only(std::uint64_t at_reset = 0) {
        reset_value = at_reset;
        return *this;
    }
    BankRegister& read_write(std::uint64_t fields, std::uint64_t at_reset = 0) {
        writable = fields;
        reset_value = at_reset;
        return *this;
    }
    BankRegister& write_only(std::uint64_t fields) {
        writable = fields;
        readable = 0;
        return *this;
    }
    BankRegister& while_not(Condition c) {
        locked = c;
        return *this;
    }
    BankRegister& on_write(Handler h) {
        handler = h;
        return *this;
    }
};

/// `Owner` has the registers as members, so that it is not copied, and a member `void diagnostic(const
/// char*)` that takes one sentence about a rule that software broke.
template <class Owner> class RegisterBank {
public:
    using Register = BankRegister<Owner>;

    /// Registers may lie in [0, bytes). `chapter` is where the access rules are, for diagnostics.
    RegisterBank(Owner& owner, std::uint64_t bytes, const char* chapter)
        : owner_(owner), words_(bytes / 4), chapter_(chapter) {}
    RegisterBank(const RegisterBank&) = delete;
    RegisterBank& operator=(const RegisterBank&) = delete;

    std::uint64_t size() const { return words_.size() * 4; }

    Register& bind(Register& r, const char* name, std::uint64_t offset, unsigned bytes = 4) {
        r.name = name;
        r.offset = offset;
        r.bytes = bytes;
        for (unsigned byte = 0; byte < bytes; byte += 4)
            words_[(offset + byte) / 4] = &r;
        return r;
    }

    /// Every register to its reset value.
    void reset() {
        for (Register* r : words_)
            if (r != nullptr)
                r->value = r->reset_value;
    }

    /// False if the access is of a form that is not supported; `value` is 0 then.
    bool read(std::uint64_t offset, unsigned bytes, std::uint64_t& value) const {
        bool supported = false;
        const Register* const r = checked(offset, bytes, "read", supported);
        value =
            r == nullptr ? 0 : ((r->value & r->readable) >> (8 * (offset - r->offset))) & low_bits(8 * bytes);
        return supported;
    }

    /// False if the access was ignored for its form (not for the rules of its register).
    bool write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
        bool supported = false;
        Register* const r = checked(offset, bytes, "write", supported);
        if (r == nullptr)
            return supported;

        const unsigned shift = static_cast<unsigned>(8 * (offset - r->offset));
        const std::uint64_t lanes = low_bits(8 * bytes) << shift;
        const std::uint64_t fields = lanes & r->writable;
        const std::uint64_t written = value << shift;
        if (r->locked != nullptr && (owner_.*r->locked)(*r)) {
            if (((written ^ r->value) & fields) != 0)
                report_locked(*r);
            return true;
        }

        const RegisterWrite w{(r->value & ~fields) | (written & fields), written & lanes};
        if (r->handler != nullptr)
            (owner_.*r->handler)(*r, w);
        else
            r->value = w.value;
        return true;
    }

private:
    Register* find(std::uint64_t offset) const {
        return offset / 4 < words_.size() ? words_[offset / 4] : nullptr;
    }

    /// The register that an access reaches; null if it reaches none or is not supported.
    Register* checked(std::uint64_t offset, unsigned bytes, const char* what, bool& supported) const {
        supported = (bytes == 4 || bytes == 8) && offset % bytes == 0;
        Register* const r = supported ? find(offset) : nullptr;
        if (bytes == 8 && supported)
            supported = r == find(offset + 4);
        if (supported)
            return r;
        char message[192];
        std::snprintf(message, sizeof message,
                      "%u-byte %s at offset 0x%llx: registers take aligned accesses of 4 bytes, or of 8 "
                      "bytes to one 64-bit register; RAZ/WI (%s)",
                      bytes, what, static_cast<unsigned long long>(offset), chapter_);
        owner_.diagnostic(message);
        return nullptr;
    }

    void report_locked(const Register& r) const {
        char message[160];
        std::snprintf(message, sizeof message, "%s written while it is locked: ignored (%s)", r.name,
                      chapter_);
        owner_.diagnostic(message);
    }

    Owner& owner_;
    std::vector<Register*> words_; ///< by 32-bit word
    const char* chapter_;
};

} // namespace iommusim
