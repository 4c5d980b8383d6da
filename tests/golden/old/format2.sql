-- Made by make.py beside it.
BEGIN;
PRAGMA writable_schema = ON;
CREATE TABLE docs(id INTEGER PRIMARY KEY, t);
INSERT INTO "docs" VALUES (1, 'bats in a cave');
INSERT INTO "docs" VALUES (2, 'trains at night');
INSERT INTO "docs" VALUES (3, 'a frozen lake');
INSERT INTO "docs" VALUES (5, 'a bat and a ball');
INSERT INTO "docs" VALUES (6, 'night train to the lake');
INSERT INTO "docs" VALUES (7, '  ');
INSERT INTO "docs" VALUES (8, NULL);
INSERT INTO "docs" VALUES (9, 'bread of the baker');
INSERT INTO "docs" VALUES (20, 'a new text about bats');
INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)
VALUES ('table', 'words', 'words', 0, 'CREATE VIRTUAL TABLE words USING semantic_index(content = ''docs'', text = ''t'')');
CREATE TABLE "words_config"(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "words_config" VALUES ('columns', '[["id","INTEGER"],["t","BLOB"]]');
INSERT INTO "words_config" VALUES ('dimensions', 512);
INSERT INTO "words_config" VALUES ('fit', 3943133073922489228);
INSERT INTO "words_config" VALUES ('format', 2);
INSERT INTO "words_config" VALUES ('generation', -5445162676183138104);
INSERT INTO "words_config" VALUES ('identity', 'builtin:lexical');
INSERT INTO "words_config" VALUES ('metric', 0);
INSERT INTO "words_config" VALUES ('model', 'builtin:lexical');
INSERT INTO "words_config" VALUES ('partitions', 0);
INSERT INTO "words_config" VALUES ('quantize', 0);
INSERT INTO "words_config" VALUES ('reranker', 'builtin:lexical');
CREATE TABLE "words_rows"(id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL, block INT NOT NULL);
INSERT INTO "words_rows" VALUES (1, 6938376495198944861, 0, 1);
INSERT INTO "words_rows" VALUES (2, -582598093951854674, 0, 1);
INSERT INTO "words_rows" VALUES (3, -4516690757230900150, 0, 1);
INSERT INTO "words_rows" VALUES (4, 8768414175698701923, 0, 1);
INSERT INTO "words_rows" VALUES (5, -5019082935221385093, 0, 1);
INSERT INTO "words_rows" VALUES (6, -1778849762598606791, 0, 1);
INSERT INTO "words_rows" VALUES (9, -7473318320051097518, 0, 1);
CREATE TABLE "words_blocks"(block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL, room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block));
INSERT INTO "words_blocks" VALUES (1, 0, 7, 9, -5445162676183138104);
CREATE TABLE "words_data"(block INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "words_data" VALUES (1, CAST(
  CAST(x'010000000000000002000000000000000300000000000000040000000000000005000000000000000600000000' ||
  x'00000009' AS BLOB) || zeroblob(307) || x'78b231be' || zeroblob(520) || x'78b2313e' || zeroblob(40) || x'78b2313e' || zeroblob(84) || x'78b231be' || zeroblob(124) || x'78b231be' || zeroblob(76) || x'78b231be' || zeroblob(356) || x'78b231be000000000000000078f1f63d' || zeroblob(24) || x'78b2313e' || zeroblob(220) || x'78b2313f' || zeroblob(124) || x'78b2313e' || zeroblob(128) || x'78f1f63e' || zeroblob(164) || x'53cf4bbe00000000a89d0dbe' || zeroblob(180) || x'a89d0dbe' || zeroblob(64) || x'53cf4bbe' || zeroblob(16) || x'a89d0dbe' || zeroblob(20) || x'a89d0dbe' || zeroblob(436) || x'a89d0d3e' || zeroblob(92) || x'a89d0dbea89d0d3e' || zeroblob(72) || x'a89d0d3e' || zeroblob(52) || x'a89d0d3e' || zeroblob(400) || x'a89d0d3e' || zeroblob(36) || x'a89d0d3f' || zeroblob(64) || x'53cf4b3e' || zeroblob(140) || x'a89d0dbe' || zeroblob(88) || x'a89d0dbfa89d0dbe' || zeroblob(196) || x'53cf4b3e' || zeroblob(68) || x'78cf03bf' || zeroblob(220) || x'78cf03be' || zeroblob(48) || x'78cf033e' || zeroblob(560) || x'b9b23dbe' || zeroblob(272) || x'78cf033e' || zeroblob(16) || x'b9b23dbe' || zeroblob(44) || x'b9b23d3e' || zeroblob(112) || x'78cf033e' || zeroblob(152) || x'78cf03be0000000000000000b9b23d3f' || zeroblob(528) || x'6b26fb3d' || zeroblob(160) || x'6eb934be' || zeroblob(16) || x'6b26fb3d' || zeroblob(144) || x'6b26fb3e' || zeroblob(68) || x'6b26fbbd0000000000000000000000006eb9343e' || zeroblob(420) || x'6eb934bf' || zeroblob(156) || x'6b26fb3d' || zeroblob(24) || x'6eb934be' || zeroblob(144) || x'6eb9343e' || zeroblob(156) || x'6b26fb3d' || zeroblob(40) || x'6b26fbbd' || zeroblob(200) || x'6b26fbbd' || zeroblob(348) || x'6eb9343e' || zeroblob(200) || x'814d373f' || zeroblob(44) || x'814d37be' || zeroblob(460) || x'814d37be' || zeroblob(316) || x'814d373e' || zeroblob(484) || x'814d373e' || zeroblob(44) || x'b7bbfe3d' || zeroblob(324) || x'814d373e' || zeroblob(180) || x'b7bbfe3e' || zeroblob(44) || x'814d37be000000000000000000000000814d37be' || zeroblob(52) || x'cf4bf6be' || zeroblob(52) || x'cf4bf6bd' || zeroblob(164) || x'cf4bf6bd000000000000000000000000cf4bf6bd' || zeroblob(32) || x'cf4bf63d' || zeroblob(48) || x'cf4bf6bd' || zeroblob(20) || x'cf4bf6bd' || zeroblob(116) || x'433b313e' || zeroblob(316) || x'cf4bf63d' || zeroblob(92) || x'cf4bf6bdcf4bf63d' || zeroblob(72) || x'cf4bf63d' || zeroblob(52) || x'cf4bf63d' || zeroblob(88) || x'cf4bf63d' || zeroblob(180) || x'cf4bf63d' || zeroblob(124) || x'cf4bf63d' || zeroblob(24) || x'cf4bf6bd0000000000000000cf4bf63e' || zeroblob(208) || x'cf4bf6bd' || zeroblob(88) || x'cf4bf6becf4bf6bd' || zeroblob(52) || x'433b31be' || zeroblob(164) || x'b9acf33d0000000000000000000000005c582fbe' || zeroblob(164) || x'b9acf33d' || zeroblob(116) || x'5c582fbe' || zeroblob(24) || x'b9acf33e' || zeroblob(68) || x'b9acf3bd' || zeroblob(596) || x'b9acf33d' || zeroblob(136) || x'5c582fbe' || zeroblob(164) || x'5c582fbf' || zeroblob(24) || x'b9acf33d' || zeroblob(40) || x'b9acf3bd' || zeroblob(28) || x'5c582fbe' || zeroblob(168) || x'b9acf3bd' || zeroblob(16) || x'5c582fbe' || zeroblob(192) || x'5c582fbe' || zeroblob(32) || x'5c582fbe' || zeroblob(18636) AS BLOB));
CREATE TABLE "words_model"(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "words_model" VALUES (1, 
  CAST(x'4c53413148000000000000000000803f0000000000001c4049922449922401402767801c0af69900fb583c8e84' ||
  x'60b700754333ad590dd500bc9e4409bf362605cd079028824eb40b8c19947a3e880b0c71830002a13bce1151df' ||
  x'11dffe20f814623b43ab67e14a151828fb7578d72d190c97e93e31c4661951ea94c52d819d1beed1085bad8fb0' ||
  x'1cc0d7c7debdc38e20694ab3e01f103b25ad1b94f39d0a5227824a39193ac7a237fe58a218a72c3e387be72cd0' ||
  x'9a1772436e69379b4cd99a4ae8b8113f2bc3d1527b759f6bb1aa44540052461420364057e55981d09096445dd2' ||
  x'88f9ea53aec165239b3e91e21df265eb521a03c08d4f66c7f25fe479f06268fa4dd1a13d703f6d34e3dce31836' ||
  x'f3702e1ce46fcb5e4b714f3d45fc64960275537e1bb194ee3677cc45c870d8349582fa9fcf2d976e64848df569' ||
  x'348d483b89dd54acfef999d88c04522bc1f778a29348e417a3944153965e1073ab69b4239a4c546410abd2419b' ||
  x'de18333e900b28a0d3cab823c3b48ba21e091787c10374aa64f28de232debead6b5d46db8d800faf1a28e8844e' ||
  x'0eccb328b5547ea05ae0bb5a6f465806fb28bd24d62cff0d5ebabd5904ce1b4fce7bc018ea9f658409fdc529de' ||
  x'd2eb03eba5c9d6733b880ebe24cd786fdb3866368ecd0c7651e281a9e7d5fd28560b4107a9d6022f707ac84777' ||
  x'd8c8313d3925c36bdcc351c324ecf737e59826027fa75e4ce71161a825f59eace762edee10ff0ae8e748cbdbe1' ||
  x'37b87be965c88b68425971f544beb9c80a46daf5927d3da379e589f6b08770bc20d49df8eaa21f4fe31baef8fe' ||
  x'0131f836d9fff8c705b0578eaca5fc39cca60b260311fe01000000020000000100000001000000010000000100' ||
  x'000002000000020000000100000001000000020000000200000002000000010000000100000001000000010000' ||
  x'000200000002000000020000000100000001000000020000000100000002000000020000000200000001000000' ||
  x'010000000100000002000000020000000200000001000000010000000200000001000000010000000200000002' ||
  x'000000010000000100000001000000010000000200000001000000020000000100000002000000010000000100' ||
  x'000001000000010000000100000002000000020000000100000001000000020000000100000001000000010000' ||
  x'000100000001000000020000000200000001000000020000000200000001000000020000000100000083229afb' ||
  x'4fe7a060' AS BLOB));
INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)
VALUES ('table', 'notes', 'notes', 0, 'CREATE VIRTUAL TABLE notes USING semantic_index(quantize = ''bit'', dimensions = 8)');
CREATE TABLE "notes_config"(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "notes_config" VALUES ('columns', '[["text","TEXT"]]');
INSERT INTO "notes_config" VALUES ('dimensions', 8);
INSERT INTO "notes_config" VALUES ('fit', 0);
INSERT INTO "notes_config" VALUES ('format', 2);
INSERT INTO "notes_config" VALUES ('generation', -5356593513597354871);
INSERT INTO "notes_config" VALUES ('identity', 'builtin:lexical');
INSERT INTO "notes_config" VALUES ('metric', 0);
INSERT INTO "notes_config" VALUES ('model', 'builtin:lexical');
INSERT INTO "notes_config" VALUES ('partitions', -8847298628839390597);
INSERT INTO "notes_config" VALUES ('quantize', 2);
INSERT INTO "notes_config" VALUES ('reranker', 'builtin:lexical');
CREATE TABLE "notes_rows"(id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL, block INT NOT NULL);
INSERT INTO "notes_rows" VALUES (1, 1354422916930962010, 1, 1);
INSERT INTO "notes_rows" VALUES (2, -8196132309371121838, 1, 1);
INSERT INTO "notes_rows" VALUES (3, -118408818033326178, 1, 1);
INSERT INTO "notes_rows" VALUES (4, -3829041897827650187, 1, 1);
INSERT INTO "notes_rows" VALUES (5, 1714498809505070549, 1, 1);
INSERT INTO "notes_rows" VALUES (6, -1883211533494789565, 1, 1);
INSERT INTO "notes_rows" VALUES (7, 4257372664793838660, 1, 1);
INSERT INTO "notes_rows" VALUES (8, -6826475033300009783, 1, 1);
INSERT INTO "notes_rows" VALUES (9, 7945068973318501521, 1, 1);
INSERT INTO "notes_rows" VALUES (10, -4939637782903458460, 1, 1);
INSERT INTO "notes_rows" VALUES (11, -3389373691736582319, 1, 1);
INSERT INTO "notes_rows" VALUES (12, 4000061928796022593, 1, 1);
INSERT INTO "notes_rows" VALUES (13, 6629732378526875721, 1, 1);
INSERT INTO "notes_rows" VALUES (14, 7573355644062381614, 1, 1);
INSERT INTO "notes_rows" VALUES (15, -5927070777625256086, 1, 1);
INSERT INTO "notes_rows" VALUES (16, -1649921614300142116, 1, 1);
INSERT INTO "notes_rows" VALUES (17, 5116209707676748517, 1, 2);
INSERT INTO "notes_rows" VALUES (18, -8133886743444608571, 1, 2);
INSERT INTO "notes_rows" VALUES (19, -1283166459800234970, 1, 2);
CREATE TABLE "notes_blocks"(block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL, room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block));
INSERT INTO "notes_blocks" VALUES (1, 1, 16, 0, 4006180911086789553);
INSERT INTO "notes_blocks" VALUES (2, 1, 3, 29, -5356593513597354871);
CREATE TABLE "notes_data"(block INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "notes_data" VALUES (1, 
  CAST(x'010000000000000002000000000000000300000000000000040000000000000005000000000000000600000000' ||
  x'0000000700000000000000080000000000000009000000000000000a000000000000000b000000000000000c00' ||
  x'0000000000000d000000000000000e000000000000000f000000000000001000000000000000000000807ee09e' ||
  x'bb9ab0a33ef76f643d57b2853e7e0d14bec3deb43d72f5b5be2e45013e5506a5be62991ebd000000807ee09ebb' ||
  x'9ab0a33ef76f643d57b2853e000000005b496d3f8b29233f20bdef3e8a058c3fd32f093fe8fbfd3e1482483fba' ||
  x'cdff3e05e6203fe8631a3f000000005b496d3f8b29233f20bdef3e8a058c3f0000000023e0323f730fba3efd2d' ||
  x'4c3e4f9c683f5d95ac3ecdbe803e29c7fd3e41038c3e698fa13e000b2a3e0000000023e0323f730fba3efd2d4c' ||
  x'3e4f9c683fff4d454c4d054c62c44e41ff4d454c4d' AS BLOB));
INSERT INTO "notes_data" VALUES (2, CAST(x'1100000000000000120000000000000013' || zeroblob(239) || x'7e0d14bec3deb43d72f5b5be' || zeroblob(116) || x'd32f093fe8fbfd3e1482483f' || zeroblob(116) || x'5d95ac3ecdbe803e29c7fd3e' || zeroblob(116) || x'054c62' || zeroblob(29) AS BLOB));
CREATE TABLE "notes_vectors"(id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
INSERT INTO "notes_vectors" VALUES (1, x'000000400000a040000040c000000000000040400000a0c0000000c00000803f');
INSERT INTO "notes_vectors" VALUES (2, x'000000c00000803f00008040000080c0000080bf000000400000a040000040c0');
INSERT INTO "notes_vectors" VALUES (3, x'0000a040000040c000000000000040400000a0c0000000c00000803f00008040');
INSERT INTO "notes_vectors" VALUES (4, x'0000803f00008040000080c0000080bf000000400000a040000040c000000000');
INSERT INTO "notes_vectors" VALUES (5, x'000040c000000000000040400000a0c0000000c00000803f00008040000080c0');
INSERT INTO "notes_vectors" VALUES (6, x'00008040000080c0000080bf000000400000a040000040c00000000000004040');
INSERT INTO "notes_vectors" VALUES (7, x'00000000000040400000a0c0000000c00000803f00008040000080c0000080bf');
INSERT INTO "notes_vectors" VALUES (8, x'000080c0000080bf000000400000a040000040c000000000000040400000a0c0');
INSERT INTO "notes_vectors" VALUES (9, x'000040400000a0c0000000c00000803f00008040000080c0000080bf00000040');
INSERT INTO "notes_vectors" VALUES (10, x'000080bf000000400000a040000040c000000000000040400000a0c0000000c0');
INSERT INTO "notes_vectors" VALUES (11, x'0000a0c0000000c00000803f00008040000080c0000080bf000000400000a040');
INSERT INTO "notes_vectors" VALUES (12, x'000000400000a040000040c000000000000040400000a0c0000000c00000803f');
INSERT INTO "notes_vectors" VALUES (13, x'000000c00000803f00008040000080c0000080bf000000400000a040000040c0');
INSERT INTO "notes_vectors" VALUES (14, x'0000a040000040c000000000000040400000a0c0000000c00000803f00008040');
INSERT INTO "notes_vectors" VALUES (15, x'0000803f00008040000080c0000080bf000000400000a040000040c000000000');
INSERT INTO "notes_vectors" VALUES (16, x'000040c000000000000040400000a0c0000000c00000803f00008040000080c0');
INSERT INTO "notes_vectors" VALUES (17, x'00008040000080c0000080bf000000400000a040000040c00000000000004040');
INSERT INTO "notes_vectors" VALUES (18, x'00000000000040400000a0c0000000c00000803f00008040000080c0000080bf');
INSERT INTO "notes_vectors" VALUES (19, x'000080c0000080bf000000400000a040000040c000000000000040400000a0c0');
CREATE TABLE "notes_partitions"(partition INTEGER PRIMARY KEY, centroid BLOB NOT NULL);
INSERT INTO "notes_partitions" VALUES (1, x'2064e93c9bde113e2064e9bcda74a03ebb29193f5648833ebb2919bfda74a03e');
CREATE TABLE "notes_text"(id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO "notes_text" VALUES (1, 'note 1');
INSERT INTO "notes_text" VALUES (2, 'note 2');
INSERT INTO "notes_text" VALUES (3, 'note 3');
INSERT INTO "notes_text" VALUES (4, 'note 4');
INSERT INTO "notes_text" VALUES (5, 'note 5');
INSERT INTO "notes_text" VALUES (6, 'note 6');
INSERT INTO "notes_text" VALUES (7, 'note 7');
INSERT INTO "notes_text" VALUES (8, 'note 8');
INSERT INTO "notes_text" VALUES (9, 'note 9');
INSERT INTO "notes_text" VALUES (10, 'note 10');
INSERT INTO "notes_text" VALUES (11, 'note 11');
INSERT INTO "notes_text" VALUES (12, 'note 12');
INSERT INTO "notes_text" VALUES (13, 'note 13');
INSERT INTO "notes_text" VALUES (14, 'note 14');
INSERT INTO "notes_text" VALUES (15, 'note 15');
INSERT INTO "notes_text" VALUES (16, 'note 16');
INSERT INTO "notes_text" VALUES (17, 'note 17');
INSERT INTO "notes_text" VALUES (18, 'note 18');
INSERT INTO "notes_text" VALUES (19, 'note 19');
CREATE TABLE "notes_model"(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)
VALUES ('table', 'own', 'own', 0, 'CREATE VIRTUAL TABLE own USING semantic_index(content = ''docs'', text = ''t'', dimensions = 8)');
CREATE TABLE "own_config"(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "own_config" VALUES ('columns', '[["id","INTEGER"],["t","BLOB"]]');
INSERT INTO "own_config" VALUES ('dimensions', 8);
INSERT INTO "own_config" VALUES ('fit', 0);
INSERT INTO "own_config" VALUES ('format', 2);
INSERT INTO "own_config" VALUES ('generation', 1406969219800829517);
INSERT INTO "own_config" VALUES ('identity', 'builtin:lexical');
INSERT INTO "own_config" VALUES ('metric', 0);
INSERT INTO "own_config" VALUES ('model', 'builtin:lexical');
INSERT INTO "own_config" VALUES ('quantize', 0);
INSERT INTO "own_config" VALUES ('reranker', 'builtin:lexical');
CREATE TABLE "own_rows"(id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL, block INT NOT NULL);
INSERT INTO "own_rows" VALUES (1, 6938376495198944861, 1, 1);
INSERT INTO "own_rows" VALUES (2, -582598093951854674, 1, 1);
INSERT INTO "own_rows" VALUES (5, -5019082935221385093, 1, 1);
CREATE TABLE "own_blocks"(block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL, room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block));
INSERT INTO "own_blocks" VALUES (1, 0, 3, 13, 1406969219800829517);
CREATE TABLE "own_data"(block INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "own_data" VALUES (1, CAST(x'0100000000000000020000000000000005' || zeroblob(114) || 
  CAST(x'400000a040000040c000000000000040400000a0c0000000c00000803f000000c00000803f00008040000080c0' ||
  x'000080bf000000400000a040000040c0000040c000000000000040400000a0c0000000c00000803f0000804000' ||
  x'0080c0' AS BLOB) || zeroblob(416) AS BLOB));
CREATE TABLE "own_model"(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)
VALUES ('table', 'remote', 'remote', 0, 'CREATE VIRTUAL TABLE remote USING semantic_index(content = ''docs'', text = ''t'', model = ''openai:m'', quantize = ''int8'')');
CREATE TABLE "remote_config"(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "remote_config" VALUES ('columns', '[["id","INTEGER"],["t","BLOB"]]');
INSERT INTO "remote_config" VALUES ('dimensions', 8);
INSERT INTO "remote_config" VALUES ('fit', 0);
INSERT INTO "remote_config" VALUES ('format', 2);
INSERT INTO "remote_config" VALUES ('generation', -8563356885498966231);
INSERT INTO "remote_config" VALUES ('identity', 'openai:m');
INSERT INTO "remote_config" VALUES ('metric', 0);
INSERT INTO "remote_config" VALUES ('model', 'openai:m');
INSERT INTO "remote_config" VALUES ('partitions', -8563356885498966231);
INSERT INTO "remote_config" VALUES ('quantize', 1);
INSERT INTO "remote_config" VALUES ('reranker', 'builtin:lexical');
CREATE TABLE "remote_rows"(id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL, block INT NOT NULL);
INSERT INTO "remote_rows" VALUES (1, 6938376495198944861, 0, 1);
INSERT INTO "remote_rows" VALUES (2, -582598093951854674, 0, 1);
INSERT INTO "remote_rows" VALUES (3, -4516690757230900150, 0, 1);
INSERT INTO "remote_rows" VALUES (4, 8768414175698701923, 0, 1);
INSERT INTO "remote_rows" VALUES (5, -5019082935221385093, 0, 1);
INSERT INTO "remote_rows" VALUES (6, -1778849762598606791, 0, 1);
INSERT INTO "remote_rows" VALUES (9, -7473318320051097518, 0, 1);
CREATE TABLE "remote_blocks"(block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL, room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block));
INSERT INTO "remote_blocks" VALUES (1, 1, 7, 9, -8563356885498966231);
CREATE TABLE "remote_data"(block INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "remote_data" VALUES (1, CAST(
  CAST(x'010000000000000002000000000000000300000000000000040000000000000005000000000000000600000000' ||
  x'00000009' AS BLOB) || zeroblob(79) || x'1263b8b9659c3bba74a3a339b67cf739743127b95d1f09390ee77cba' || zeroblob(36) || x'ffc28f3bcb3a953b5c72d73b0acf8b3bd6f8973b90eb893b4300ab3b' || zeroblob(36) || x'10f6933af39a9a3ab5fbce3a2ebea53af393803a7cc8a93a0eedcb3a' || zeroblob(36) || 
  CAST(x'813b0b933315c19d0cabe6120c857fe2db277f0320dcdc3d4dace481444abd4807a5eb3eb81481d521231c3681' ||
  x'3f72562e60814d11063fc7' AS BLOB) || zeroblob(72) AS BLOB));
CREATE TABLE "remote_vectors"(id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
INSERT INTO "remote_vectors" VALUES (1, x'796c803e66ff91be1f44dfbe0e53123fb2bb34bb938c7a3ea403aebee90bcfbe');
INSERT INTO "remote_vectors" VALUES (2, x'170f04bf856aa5be801b32bd435f50be914e84be3fc40b3f82d0423d72a8ef3e');
INSERT INTO "remote_vectors" VALUES (3, x'9372fb3e8161acbe4b44e2bdfced01bf7be4003fbb822dbdf4feabbead8cb1bd');
INSERT INTO "remote_vectors" VALUES (4, x'4158ca3dfb4cabbe350ae7beea77a33e354619bc4a4702bf0984fb3e40b8893e');
INSERT INTO "remote_vectors" VALUES (5, x'dc6d46bee84a3d3e9f8051be57c5983e017b1b3f7f6d9d3ebb78133f35293dbd');
INSERT INTO "remote_vectors" VALUES (6, x'046086beaaaa23bebce8153ec9c617bf61df37bed67ffa3c7d4e083f28efedbe');
INSERT INTO "remote_vectors" VALUES (9, x'd306f4be8977143f8a55383e00b2e83d1b4117bfb2eafb3dc682e0bc31ca25be');
CREATE TABLE "remote_partitions"(partition INTEGER PRIMARY KEY, centroid BLOB NOT NULL);
INSERT INTO "remote_partitions" VALUES (1, x'44fbd0bda22934bee88f5cbcc828bcbcdb30d8bde2e6b83d76d9813d7881dabc');
CREATE TABLE "remote_model"(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE answers(name, query, id, similarity);
INSERT INTO "answers" VALUES ('words', 'bats', 1, 0.6063141226768494);
INSERT INTO "answers" VALUES ('words', 'bats', 5, 0.42050784826278687);
INSERT INTO "answers" VALUES ('words', 'bats', 2, 0.0);
INSERT INTO "answers" VALUES ('words', 'a train', 6, 0.6030195714843029);
INSERT INTO "answers" VALUES ('words', 'a train', 2, 0.5791985737799759);
INSERT INTO "answers" VALUES ('words', 'a train', 1, 0.0);
INSERT INTO "answers" VALUES ('words', 'bread', 4, 0.5881218068672314);
INSERT INTO "answers" VALUES ('words', 'bread', 9, 0.570616636909047);
INSERT INTO "answers" VALUES ('words', 'bread', 1, 0.0);
INSERT INTO "answers" VALUES ('notes', '[1, 2, 3, 4, 5, 6, 7, 8]', 11, 0.2773796521750473);
INSERT INTO "answers" VALUES ('notes', '[1, 2, 3, 4, 5, 6, 7, 8]', 6, 0.2504897164340598);
INSERT INTO "answers" VALUES ('notes', '[1, 2, 3, 4, 5, 6, 7, 8]', 17, 0.2504897164340598);
INSERT INTO "answers" VALUES ('own', '[8, 7, 6, 5, 4, 3, 2, 1]', 1, 0.21542857953405606);
INSERT INTO "answers" VALUES ('own', '[8, 7, 6, 5, 4, 3, 2, 1]', 2, 0.03212462831016178);
INSERT INTO "answers" VALUES ('own', '[8, 7, 6, 5, 4, 3, 2, 1]', 5, -0.2504897164340598);
INSERT INTO "answers" VALUES ('remote', 'bats in a cave', 1, 1.0);
INSERT INTO "answers" VALUES ('remote', 'bats in a cave', 3, 0.11474563181400299);
INSERT INTO "answers" VALUES ('remote', 'bats in a cave', 4, 0.09922821819782257);
PRAGMA writable_schema = OFF;
COMMIT;
