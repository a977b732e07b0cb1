#include "words.h"

#define ARRAY(...) ((const char *const[]){__VA_ARGS__})
/* The versions of clang-format do not agree about it. */
/* clang-format off */
#define WORDS(...) {ARRAY(__VA_ARGS__), COUNT(ARRAY(__VA_ARGS__))}
/* clang-format on */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct people words_people[] = {
    {WORDS("Alice", "Oliver", "Grace", "Harry", "Emily", "Thomas", "Ruby", "Sean", "Niamh", "Hannah", "George",
           "Charlotte", "Samuel", "Lucy", "Edward", "Siobhán"),
     WORDS("Smith", "O'Brien", "Taylor", "Walker", "Hughes", "O'Connor", "Bennett", "Clarke", "Murphy", "Fletcher",
           "Robinson", "Ward", "MacDonald", "Ó Súilleabháin", "Fox"),
     " ", false},
    {WORDS("Jürgen", "Anke", "Björn", "Käthe", "Lukas", "Sabine", "Günther", "Heike", "Matthias", "Ulrike", "Jörg",
           "Franziska", "Karl", "Leonie"),
     WORDS("Müller", "Schäfer", "Groß", "Weiß", "Köhler", "Becker", "Krüger", "Schröder", "Vogel", "Hofmann",
           "von der Heide", "Jäger", "Böttcher", "Lang"),
     " ", false},
    {WORDS("Łukasz", "Agnieszka", "Małgorzata", "Paweł", "Zofia", "Stanisław", "Grażyna", "Wojciech", "Ewa", "Michał",
           "Świętosława", "Jan"),
     WORDS("Wójcik", "Kowalczyk", "Zieliński", "Wiśniewska", "Dąbrowski", "Łaski", "Mazur", "Brzęczyszczykiewicz",
           "Jabłońska", "Piątek", "Żak", "Nowak"),
     " ", false},
    {WORDS("Søren", "Åse", "Bjørn", "Ingrid", "Øyvind", "Freja", "Lærke", "Magnus", "Sigrún", "Þór", "Astrid", "Göran",
           "Päivi", "Väinö"),
     WORDS("Sørensen", "Ødegård", "Nyström", "Åkesson", "Kjær", "Hansen", "Lindqvist", "Bakke", "Jónsdóttir", "Mäkinen",
           "Dahl", "Østergaard"),
     " ", false},
    {WORDS("José", "María", "Íñigo", "Lucía", "Andrés", "Begoña", "Joaquín", "Inés", "Ramón", "Xavi", "Nuria", "Sofía"),
     WORDS("García", "Muñoz", "Peña", "Ibáñez", "Rodríguez", "Núñez", "de la Cruz", "Gómez", "Vázquez", "Ortega",
           "Castaño", "Ruiz"),
     " ", false},
    {WORDS("François", "Chloé", "Benoît", "Zoé", "Loïc", "Anaïs", "Étienne", "Hélène", "Rémi", "Maëlle", "Luc",
           "Océane"),
     WORDS("Lefèvre", "Hébert", "d'Aubigné", "Girard", "L'Hôte", "Beaulieu", "Çelik-Morel", "Noël", "Gauthier",
           "Rousseau", "Maître", "Petit"),
     " ", false},
    {WORDS("João", "Conceição", "Luís", "Inês", "Tomé", "Beatriz", "Rui", "Lígia", "Fabrício"),
     WORDS("Gonçalves", "Simões", "Araújo", "Falcão", "dos Santos", "Leitão", "Brandão", "Magalhães", "Pires",
           "Guimarães"),
     " ", false},
    {WORDS("Giulia", "Niccolò", "Alessandro", "Chiara", "Beppe", "Ludovica", "Matteo", "Noè"),
     WORDS("D'Angelo", "Ferrari", "Dell'Acqua", "Conti", "Nicolò", "Rizzo", "Galli", "Lo Russo"), " ", false},
    {WORDS("Tomáš", "Božena", "Jiří", "Ľudmila", "Štěpán", "Radek", "Zsófia", "Győző", "Ștefan", "Ioana", "Đorđe",
           "Živa"),
     WORDS("Dvořák", "Černý", "Růžička", "Kőszegi", "Szűcs", "Țurcanu", "Ionescu", "Šarić", "Đurić", "Novotná", "Hájek",
           "Čapek"),
     " ", false},
    {WORDS("Ayşe", "Çağla", "Oğuz", "İbrahim", "Gülşen", "Emre", "Işıl", "Yiğit"),
     WORDS("Yılmaz", "Öztürk", "Şahin", "Doğan", "Aydın", "Kılıç", "Güneş", "Çetin"), " ", false},
    {WORDS("Ольга", "Дмитрий", "Наталья", "Сергей", "Анна", "Ігор", "Софія", "Фёдор"),
     WORDS("Коваленко", "Шевчук", "Лебедь", "Ткаченко", "Бондарь", "Мельник", "Гончар"), " ", false},
    {WORDS("Ελένη", "Γιώργος", "Κατερίνα", "Νίκος", "Μαρία", "Σπύρος"),
     WORDS("Παπαδόπουλος", "Νικολάου", "Οικονόμου", "Βλάχος", "Αγγελοπούλου"), " ", false},
    {WORDS("محمد", "فاطمة", "يوسف", "ليلى", "عمر", "نور"), WORDS("الحسن", "المصري", "حداد", "النجار", "منصور"), " ",
     false},
    {WORDS("आरव", "प्रिया", "राहुल", "अनन्या", "विक्रम", "मीरा"), WORDS("शर्मा", "पटेल", "सिंह", "गुप्ता", "जोशी"), " ", false},
    {WORDS("太郎", "花子", "健一", "美咲", "翔太", "さくら", "陽菜", "大輔"),
     WORDS("山田", "佐藤", "鈴木", "高橋", "渡邊", "小林", "𠮷野", "中村"), " ", true},
    {WORDS("伟", "秀英", "静", "建国", "丽华", "志强"), WORDS("王", "李", "张", "欧阳", "刘", "陈"), "", true},
    {WORDS("서연", "민준", "지우", "하은", "도윤"), WORDS("김", "이", "박", "최", "남궁"), "", true},
    {WORDS("Thị Hương", "Văn Đức", "Minh Anh", "Thuỳ Dương", "Quốc Bảo"),
     WORDS("Nguyễn", "Trần", "Phạm", "Huỳnh", "Đặng"), " ", true},
};
const uint32_t words_people_count = COUNT(words_people);

const struct country words_countries[] = {
    {"United Kingdom", "N S, T P", "@@# #@@",
     WORDS("Mill Lane", "St. Mary's Road", "Station Approach", "Queen's Parade", "Orchard Close", "Church Hill",
           "Canal Walk", "Long Acre", "King's Mews"),
     WORDS("York", "Bristol", "King's Lynn", "Leeds", "Bishop's Stortford", "Norwich", "Cardiff")},
    {"Ireland", "N S, T, P", "@## @#@#",
     WORDS("Patrick's Quay", "Harbour View", "O'Connell Avenue", "Bóthar na Trá", "Castle Park"),
     WORDS("Cork", "Galway", "Dún Laoghaire", "Sligo", "Kilkenny")},
    {"Germany", "S N, P T", "#####",
     WORDS("Hauptstraße", "Am Mühlbach", "Lindenallee", "Schloßweg", "Königsplatz", "Gänsemarkt", "Bahnhofstraße",
           "Zur alten Fähre", "Rosenweg"),
     WORDS("Köln", "München", "Lübeck", "Görlitz", "Berlin", "Würzburg", "Plön", "Halle (Saale)")},
    {"Poland", "ul. S N, P T", "##-###", WORDS("Źródlana", "Kwiatowa", "Świętokrzyska", "Łąkowa", "Długa", "Wąwozowa"),
     WORDS("Łódź", "Gdańsk", "Kraków", "Poznań", "Białystok", "Toruń")},
    {"Denmark", "S N, P T", "####",
     WORDS("Ærøvej", "Møllegade", "Strandvejen", "Kirkestræde", "Åboulevarden", "Nygade"),
     WORDS("Aarhus", "København", "Rønne", "Ålborg", "Køge", "Ærøskøbing")},
    {"Spain", "S, N, P T", "#####",
     WORDS("Calle del Olmo", "Paseo de la Peña", "Avenida de España", "Plaza Mayor", "Carrer de l'Àngel",
           "Calle Muñoz"),
     WORDS("A Coruña", "Málaga", "León", "L'Hospitalet", "Cádiz", "Madrid")},
    {"France", "N S, P T", "#####",
     WORDS("rue de l'Église", "avenue du Général", "allée des Chênes", "place d'Armes", "quai aux Fleurs",
           "impasse du Château"),
     WORDS("Besançon", "L'Haÿ-les-Roses", "Orléans", "Nîmes", "Paris", "Saint-Étienne")},
    {"Portugal", "S N, P T", "####-###",
     WORDS("Rua da Conceição", "Travessa do Pão", "Largo de São João", "Avenida dos Limões"),
     WORDS("Évora", "Lisboa", "Guimarães", "Portimão", "Setúbal")},
    {"Italy", "S N, P T", "#####", WORDS("Via dell'Orto", "Corso della Libertà", "Piazza Verdi", "Vicolo Ca' d'Oro"),
     WORDS("L'Aquila", "Forlì", "Roma", "Reggio nell'Emilia", "Cantù")},
    {"Czechia", "S N, P T", "### ##", WORDS("Dlouhá", "Růžová", "Na Příkopě", "Školní", "U Řeky"),
     WORDS("Plzeň", "České Budějovice", "Brno", "Ústí nad Labem", "Kroměříž")},
    {"Türkiye", "S no: N, P T", "#####", WORDS("Çiçek Sokağı", "İnönü Bulvarı", "Gül Caddesi", "Şair Yolu"),
     WORDS("İzmir", "Muğla", "Eskişehir", "Diyarbakır", "Ankara")},
    {"Україна", "вул. S, N, T, P", "#####", WORDS("Садова", "Шкільна", "Соборна", "Набережна"),
     WORDS("Київ", "Львів", "Одеса", "Чернігів")},
    {"Ελλάδα", "S N, P T", "### ##", WORDS("Οδός Αθηνάς", "Λεωφόρος Κηφισίας", "Ερμού", "Αγίου Νικολάου"),
     WORDS("Αθήνα", "Θεσσαλονίκη", "Πάτρα", "Ηράκλειο")},
    {"مصر", "N S، T P", "#####", WORDS("شارع النيل", "شارع الجامعة", "ميدان التحرير"),
     WORDS("القاهرة", "الإسكندرية", "أسوان")},
    {"日本", "〒P TSN番地", "###-####", WORDS("本町", "桜丘", "神南", "緑が丘", "旭"),
     WORDS("東京都渋谷区", "大阪市北区", "札幌市中央区", "京都市左京区")},
    {"United States", "N S, T P", "#####",
     WORDS("Maple Street", "W 4th Avenue", "Old Creek Road", "Martha's Way", "Sunset Terrace", "County Road 12",
           "Peachtree Court"),
     WORDS("Coeur d'Alene, ID", "Portland, OR", "Cañon City, CO", "Ithaca, NY", "Tulsa, OK", "San José, CA")},
    {"Brasil", "S, N, T, P", "#####-###",
     WORDS("Rua das Laranjeiras", "Avenida São João", "Praça da Sé", "Travessa do Açúcar"),
     WORDS("São Paulo", "Florianópolis", "Brasília", "Maceió", "Belém")},
    {"Việt Nam", "N S, T P", "#####0", WORDS("Đường Lê Lợi", "Phố Huế", "Đường Trần Hưng Đạo", "Phố Hàng Bạc"),
     WORDS("Hà Nội", "Đà Nẵng", "Cần Thơ", "Huế")},
};
const uint32_t words_countries_count = COUNT(words_countries);

const struct words words_awkward_names =
    WORDS("\"Bunny\" ", "\"the \\ slash\" ", "\t", "\n", "🎉 ", "👩‍👩‍👧 ", "<b>&amp;</b> ", "%s ", "\\N ",
          "{} ", "Ze\u0301 ", "'; -- ", "\x1f", "null ");

const struct words words_awkward_addresses =
    WORDS("\"The Old Mill\", ", "Gate C:\\north\\2, ", "Goods in\n", "Reception desk\r\n2nd floor\r\n", "Door\t7, ",
          "🏡 ", "Flat \\N, ", "\\.\n", "{\"floor\": 3}, ", "Bell\a twice, ", "\\\\server\\post, ", "[]",
          "👨‍🌾🐄 farm, ", "O’Brien’s, ", "line\u2028separator, ", "\"\\\"\\\\\", ", "   ");

const struct words words_units =
    WORDS("Flat 3, ", "Apt 4B, ", "Unit 17, ", "2nd floor, ", "Hinterhaus, ", "3. OG links, ", "Escalera B, 2º izda., ",
          "bâtiment C, étage 4, ", "m. 12, ", "Building 5, Floor 11, ", "Scala A, interno 9, ", "кв. 48, ",
          "Warehouse 2, Dock 14, ", "Bloco C, apto. 1203, ");

const struct words words_notes = WORDS(
    " (side entrance, ring twice)", " (weekdays only, between 9:00 and 17:00)",
    " (leave the parcel with the neighbours)", " (beware of the dog)",
    " (invoices go to the accounts department on the first floor)", " (Schlüssel beim Hausmeister)",
    " (código del portal: 4711)", " (new since May)", " (gate is closed in winter; use the lane behind the church)");
