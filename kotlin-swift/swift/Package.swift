// swift-tools-version: 5.9
// iotkm for Swift. Sources/ is generated: run kotlin-swift/generate swift first. The Rust library is looked for where that puts
// it (IOTKM_LIBRARY names another folder); packages for Apple's platforms bring it as an XCFramework instead, see ../README.md.
import Foundation
import PackageDescription

let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
let built = here.appendingPathComponent("../../build/kotlin-swift/static").standardizedFileURL.path
let library = ProcessInfo.processInfo.environment["IOTKM_LIBRARY"] ?? built

let package = Package(
    name: "Iotkm",
    platforms: [.iOS(.v13), .macOS(.v11)],
    products: [.library(name: "Iotkm", targets: ["Iotkm"])],
    targets: [
        .systemLibrary(name: "IotkmFFI", path: "Sources/IotkmFFI"),
        .target(
            name: "Iotkm",
            dependencies: ["IotkmFFI"],
            path: "Sources/Iotkm",
            linkerSettings: [.unsafeFlags(["-L", library]), .linkedLibrary("iotkm_uniffi")]
        ),
        .testTarget(name: "IotkmTests", dependencies: ["Iotkm"], path: "Tests/IotkmTests"),
    ]
)
